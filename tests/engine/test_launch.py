import sys

import pytest
from mmengine.config import Config

from uniemox_mm.engine.launch import (
    find_checkpoint,
    fit_to_machine,
    learning_rate_note,
    remove_unfinished,
    resume_command,
    use_amp,
)


def amp_config():
    return Config(
        dict(
            optim_wrapper=dict(
                type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0
            )
        )
    )


def test_cpu_falls_back_to_fp32_and_says_so():
    cfg = amp_config()
    assert fit_to_machine(cfg, 'none') == [
        'No accelerator here: training in fp32 instead of AMP.'
    ]
    assert cfg.optim_wrapper == dict(type='OptimWrapper')
    assert fit_to_machine(cfg, 'none') == []


def test_accelerators_are_left_alone(monkeypatch):
    monkeypatch.setattr('uniemox_mm.engine.launch.get_device', lambda: 'cuda')
    cfg = amp_config()
    assert fit_to_machine(cfg, 'pytorch') == []
    assert cfg.optim_wrapper == amp_config().optim_wrapper
    assert 'model_wrapper_cfg' not in cfg


def test_amp_switches_both_ways():
    cfg = amp_config()
    use_amp(cfg.optim_wrapper, False)
    use_amp(cfg.optim_wrapper, True)
    assert cfg.optim_wrapper == dict(
        type='AmpOptimWrapper',
        dtype='bfloat16',
        loss_scale=dict(enabled=False),
    )
    half = Config(dict(optim_wrapper=dict(type='x', dtype='float16')))
    use_amp(half.optim_wrapper, True)
    assert half.optim_wrapper == dict(type='AmpOptimWrapper', dtype='float16')


def test_launchers_that_need_gpus_say_so():
    with pytest.raises(ValueError, match='slurm needs accelerators'):
        fit_to_machine(amp_config(), 'slurm')


def test_wrapper_settings_of_the_user_are_kept(monkeypatch):
    monkeypatch.setattr('torch.distributed.is_initialized', lambda: True)
    cfg = amp_config()
    cfg.model_wrapper_cfg = dict(find_unused_parameters=True)
    fit_to_machine(cfg, 'pytorch')
    assert cfg.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=True,
        device_ids=None,
    )


@pytest.mark.parametrize(
    ('world', 'enable', 'counts', 'note'),
    [
        (8, False, 1, ''),
        (4, False, 2, ''),
        (1, True, 1, ''),
        (
            2,
            False,
            1,
            'The learning rate is for batches of 512, but 2 x 64 makes 128: '
            '--auto-scale-lr adapts it.',
        ),
    ],
)
def test_learning_rate_note(world, enable, counts, note):
    cfg = Config(
        dict(
            auto_scale_lr=dict(base_batch_size=512, enable=enable),
            train_dataloader=dict(batch_size=64),
            optim_wrapper=dict(accumulative_counts=counts),
        )
    )
    assert learning_rate_note(cfg, world) == note
    cfg.pop('auto_scale_lr')
    assert learning_rate_note(cfg, world) == ''


def test_newest_checkpoint_is_found_by_its_number(tmp_path):
    assert find_checkpoint(tmp_path) is None
    assert find_checkpoint(tmp_path / 'nowhere') is None
    for name in ('epoch_9.pth', 'epoch_10.pth', '.epoch_11.pth-x.tmp'):
        (tmp_path / name).touch()
    (tmp_path / 'best_acc_epoch_12.pth').touch()
    (tmp_path / 'last_checkpoint').write_text('/moved/epoch_9.pth')
    assert find_checkpoint(tmp_path) == tmp_path / 'epoch_10.pth'


def test_unfinished_files_are_removed(tmp_path):
    for name in ('.epoch_3.pth-ab.tmp', 'epoch_2.pth', 'note.tmp'):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {'epoch_2.pth', 'note.tmp'}
    remove_unfinished(tmp_path / 'nowhere')


@pytest.mark.parametrize(
    ('arguments', 'launcher', 'command'),
    [
        ('c.py', 'none', 'python tools/train.py c.py --resume'),
        (
            '--work-dir w c.py --resume',
            'none',
            'python tools/train.py c.py --work-dir w --resume',
        ),
        (
            'c.py --resume old/epoch_1.pth --no-amp',
            'none',
            'python tools/train.py c.py --no-amp --resume',
        ),
        (
            'c.py --resume=e.pth --cfg-options a.b=1 c=2',
            'none',
            'python tools/train.py c.py --cfg-options a.b=1 c=2 --resume',
        ),
        (
            '--local-rank 0 c.py --launcher pytorch --work-dir w',
            'pytorch',
            'bash tools/dist_train.sh c.py 2 --work-dir w --resume',
        ),
        (
            'c.py --launcher=slurm',
            'slurm',
            'python tools/train.py c.py --launcher slurm --resume',
        ),
    ],
)
def test_resume_command(monkeypatch, arguments, launcher, command):
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    monkeypatch.setattr('shutil.which', lambda name: sys.executable)
    found = resume_command(arguments.split(), 'c.py', launcher)
    assert found == command


def test_resume_command_repeats_what_is_needed(monkeypatch):
    monkeypatch.setattr('shutil.which', lambda name: '/other/python')
    found = resume_command(
        ['c.py', '--resume', 'a b.pth'], 'c.py', 'none', 'a b.pth'
    )
    assert found == (
        f"{sys.executable} tools/train.py c.py --resume 'a b.pth'"
    )
    monkeypatch.setenv('NNODES', '2')
    monkeypatch.setenv('NODE_RANK', '1')
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '8')
    assert resume_command(['c.py'], 'c.py', 'pytorch') == (
        'env NNODES=2 NODE_RANK=1 bash tools/dist_train.sh c.py 8 --resume'
    )
