import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from uniemox_mm.engine.resuming import (
    find_checkpoint,
    remove_unfinished,
    resume_command,
    set_resume,
)


def test_find_checkpoint_goes_by_number(tmp_path):
    assert find_checkpoint(tmp_path) is None
    assert find_checkpoint(tmp_path / 'nowhere') is None
    for name in ('epoch_9.pth', 'epoch_10.pth', '.epoch_11.pth-x.tmp'):
        (tmp_path / name).touch()
    (tmp_path / 'best_acc_epoch_12.pth').touch()
    (tmp_path / 'last_checkpoint').write_text('/moved/epoch_9.pth')
    assert find_checkpoint(tmp_path) == tmp_path / 'epoch_10.pth'


def test_remove_unfinished(tmp_path):
    for name in ('.epoch_3.pth-ab.tmp', 'epoch_2.pth', 'note.tmp'):
        (tmp_path / name).touch()
    folder = tmp_path / '.epoch_3.pth-unfinished.tmp'  # of DeepSpeed
    folder.mkdir()
    (folder / 'part.pt').touch()
    remove_unfinished(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {'epoch_2.pth', 'note.tmp'}
    remove_unfinished(tmp_path / 'nowhere')


def test_set_resume(tmp_path):
    def config():
        return Config(dict(work_dir=str(tmp_path), load_from='start.pth'))

    cfg = config()
    assert set_resume(cfg, None) == '' and cfg.load_from == 'start.pth'
    assert f'Nothing to resume in {tmp_path}' in set_resume(cfg, 'auto')
    assert cfg.load_from == 'start.pth' and 'resume' not in cfg
    path = tmp_path / 'epoch_2.pth'
    path.mkdir()  # of DeepSpeed
    for resume in ('auto', str(path)):
        cfg = config()
        assert set_resume(cfg, resume) == f'Resuming from {path}.'
        assert cfg.resume is True
        assert cfg.load_from == str(path)
    with pytest.raises(FileNotFoundError, match=r'^--resume x\.pth: no such'):
        set_resume(cfg, 'x.pth')


@pytest.mark.parametrize(
    ('arguments', 'launcher', 'command'),
    [
        ('c.py', 'none', 'python tools/train.py c.py'),
        (
            '--work-dir w c.py --resume',
            'none',
            'python tools/train.py c.py --work-dir w',
        ),
        (
            'c.py --resume old/epoch_1.pth --no-amp',
            'none',
            'python tools/train.py c.py --no-amp',
        ),
        (
            'c.py --resume=e.pth --cfg-options a.b=1 c=2',
            'none',
            'python tools/train.py c.py --cfg-options a.b=1 c=2',
        ),
        (
            '--local-rank 0 c.py --launcher pytorch --work-dir w',
            'pytorch',
            'bash tools/dist_train.sh c.py 2 --work-dir w',
        ),
        (
            'c.py --launcher=slurm',
            'slurm',
            'python tools/train.py c.py --launcher slurm',
        ),
    ],
)
def test_resume_command(monkeypatch, arguments, launcher, command):
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    monkeypatch.setattr('shutil.which', lambda name: sys.executable)
    found = resume_command(
        'tools/train.py', arguments.split(), 'c.py', launcher
    )
    assert found == f'{command} --resume'


def test_resume_command_repeats_checkpoint_and_environment(monkeypatch):
    monkeypatch.setattr('shutil.which', lambda name: '/other/python')
    found = resume_command(
        *('tools/train.py', ['c.py', '--resume', 'a b.pth'], 'c.py', 'none'),
        checkpoint='a b.pth',
        environment=dict(DATASET='fi'),
    )
    assert found == (
        f'env DATASET=fi {sys.executable} tools/train.py c.py '
        "--resume 'a b.pth'"
    )
    monkeypatch.setenv('NNODES', '2')
    monkeypatch.setenv('NODE_RANK', '1')
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '8')
    found = resume_command(
        str(Path.cwd() / 'repo/tools/train.py'), ['c.py'], 'c.py', 'pytorch'
    )
    assert found == (
        'env NNODES=2 NODE_RANK=1 bash repo/tools/dist_train.sh c.py 8 '
        '--resume'
    )
