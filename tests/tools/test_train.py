"""tools/train.py as a user runs it: killed, interrupted and resumed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tests.helpers import BACKBONE, EMO_MAE, ROOT, build, tiny_config
from uniemox_mm.apis import load_weights

pytestmark = pytest.mark.slow


def environment():
    python = Path(sys.executable).parent
    return {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'PATH': f'{python}{os.pathsep}{os.environ["PATH"]}',
        'PYTHONPATH': str(ROOT),
    }


def execute(*command):
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )


def write_config(tmp_path, drawn, work_dir, kill=None):
    cfg = tiny_config(drawn, work_dir)
    # Shared by all runs of a test, as it would be by a user's.
    cache = tmp_path / 'text_features'
    cfg.default_hooks.text_features.folder = str(cache)
    if kill:
        cfg.custom_imports.imports.append('tests.kill_hook')
        cfg.custom_hooks = [dict(type='KillHook', **kill)]
    path = tmp_path / f'{Path(work_dir).name}{"_kill" if kill else ""}.py'
    cfg.dump(path)
    return path


def train(config, *arguments):
    return execute(sys.executable, 'tools/train.py', config, *arguments)


def dist_train(config, *arguments):
    return execute('bash', 'tools/dist_train.sh', config, 2, *arguments)


def assert_same_end(one, other):
    """Weights and optimizer state after the last epoch agree to 1e-6."""
    load = dict(map_location='cpu', weights_only=False)
    a = torch.load(Path(one) / 'epoch_3.pth', **load)
    b = torch.load(Path(other) / 'epoch_3.pth', **load)
    assert a['state_dict'].keys() == b['state_dict'].keys()
    for name, value in a['state_dict'].items():
        torch.testing.assert_close(
            value, b['state_dict'][name], atol=1e-6, rtol=0
        )
    states = a['optimizer']['state'], b['optimizer']['state']
    assert states[0].keys() == states[1].keys()
    for key, state in states[0].items():
        torch.testing.assert_close(
            state['exp_avg'], states[1][key]['exp_avg'], atol=1e-6, rtol=0
        )
    assert a['meta']['iter'] == b['meta']['iter']


@pytest.fixture(scope='module')
def uninterrupted(drawn, tmp_path_factory):
    """The work dir of a run from start to end."""
    folder = tmp_path_factory.mktemp('whole')
    config = write_config(folder, drawn, folder / 'work')
    result = train(config, '--amp')
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / 'work', result


def test_a_run_leaves_what_it_should(uninterrupted):
    work_dir, result = uninterrupted
    names = {path.name for path in work_dir.iterdir()}
    assert {'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'} <= names
    assert (
        result.stdout.splitlines()[0]
        == 'No accelerator here: training in fp32 instead of AMP.'
    )
    assert not [n for n in names if n.endswith('.tmp')]
    keys = load_weights(work_dir / 'epoch_3.pth').keys()
    assert keys == build(EMO_MAE).state_dict().keys()


@pytest.mark.parametrize(
    'kill',
    [
        pytest.param(
            dict(sig='SIGKILL', place='after_train_iter', count=2),
            marks=pytest.mark.long,
        ),
        pytest.param(
            dict(sig='SIGKILL', place='after_train_iter', count=7),
            marks=pytest.mark.long,
        ),
        dict(sig='SIGKILL', place='fsync', count=2),
        pytest.param(
            dict(sig='SIGKILL', place='after_train_epoch', count=2),
            marks=pytest.mark.long,
        ),
    ],
    ids=['first-epoch', 'second-epoch', 'saving', 'just-saved'],
)
def test_killed_and_resumed_equals_uninterrupted(
    drawn, tmp_path, uninterrupted, kill
):
    work_dir = tmp_path / 'work'
    config = write_config(tmp_path, drawn, work_dir, kill)
    assert train(config).returncode == -9
    if kill['place'] == 'fsync':
        assert (work_dir / 'epoch_1.pth').exists()
        assert not (work_dir / 'epoch_2.pth').exists()
        assert list(work_dir.glob('.epoch_2.pth-*.tmp'))
    config = write_config(tmp_path, drawn, work_dir)
    result = train(config, '--resume')
    assert result.returncode == 0, result.stdout + result.stderr
    assert not list(work_dir.glob('.*.tmp'))
    if kill['count'] == 2 and kill['place'] == 'after_train_iter':
        assert f'Nothing to resume in {work_dir}' in result.stdout
    assert_same_end(work_dir, uninterrupted[0])


@pytest.mark.parametrize(
    'sig', ['SIGINT', pytest.param('SIGTERM', marks=pytest.mark.long)]
)
def test_interrupted_run_prints_the_command_that_resumes(
    drawn, tmp_path, uninterrupted, sig
):
    work_dir = tmp_path / 'work'
    kill = dict(sig=sig, place='after_train_iter', count=6)
    config = write_config(tmp_path, drawn, work_dir, kill)
    result = train(config, '--work-dir', work_dir)
    assert result.returncode == 130
    assert 'Traceback' not in result.stdout + result.stderr
    *_, message, command = result.stderr.splitlines()
    assert message == 'Interrupted. Continue from the last whole epoch with:'
    assert shlex.split(command) == [
        'python', 'tools/train.py', str(config), '--work-dir', str(work_dir),
        '--resume',
    ]  # fmt: skip
    write_config(tmp_path, drawn, work_dir).replace(config)  # kills no more
    resumed = execute(*shlex.split(command))
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert f'Resuming from {work_dir}/epoch_1.pth.' in resumed.stdout
    assert_same_end(work_dir, uninterrupted[0])


@pytest.mark.long
def test_two_processes_killed_and_resumed(drawn, tmp_path):
    whole = write_config(tmp_path, drawn, tmp_path / 'whole')
    result = dist_train(whole)
    assert result.returncode == 0, result.stdout + result.stderr
    kill = dict(sig='SIGKILL', place='after_train_iter', count=3, rank=1)
    cut = write_config(tmp_path, drawn, tmp_path / 'cut', kill)
    assert dist_train(cut).returncode != 0
    cut = write_config(tmp_path, drawn, tmp_path / 'cut')
    result = dist_train(cut, '--resume')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'epoch_1.pth' in result.stdout
    assert_same_end(tmp_path / 'cut', tmp_path / 'whole')


def test_skipped_samples_are_listed_at_the_end_of_the_epoch(
    own_drawn, tmp_path
):
    cfg = tiny_config(own_drawn, tmp_path / 'work')
    cfg.train_cfg.max_epochs = 1
    cfg.train_dataloader.dataset.on_bad_sample = 'skip'
    cfg.dump(tmp_path / 'c.py')
    rows = sorted(own_drawn.glob('image/*/*_00000.jpg'))
    rows[0].write_bytes(rows[0].read_bytes()[:-200])
    (own_drawn / 'annotation/fear/fear_00000.json').write_text('{')
    result = train(tmp_path / 'c.py')
    assert result.returncode == 0, result.stdout + result.stderr
    text = result.stdout
    assert 'Epoch 1: skipped 2 broken samples:' in text
    listed = text.split('broken samples:')[1].splitlines()[1:3]
    assert 'fear_00000.json' in listed[0]
    assert str(rows[0]) in listed[1]


def test_broken_sample_is_named_at_the_end_of_the_error(own_drawn, tmp_path):
    cfg = tiny_config(own_drawn, tmp_path / 'work')
    cfg.dump(tmp_path / 'c.py')
    image = own_drawn / 'image/awe/awe_00000.jpg'
    image.write_bytes(image.read_bytes()[:-200])
    result = train(tmp_path / 'c.py')
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert str(image) in last and 'truncated' in last


def start_weights(tmp_path, drawn, path):
    cfg = tiny_config(drawn, tmp_path / 'work')
    cfg.load_from = str(path)
    cfg.train_cfg.max_epochs = 1
    cfg.dump(tmp_path / 'c.py')
    return train(tmp_path / 'c.py')


def test_start_weights_of_another_model_are_refused(drawn, tmp_path):
    wide = dict(BACKBONE['arch'], feedforward_channels=96)
    other = build(EMO_MAE, backbone=dict(BACKBONE, arch=wide))
    torch.save(dict(state_dict=other.state_dict()), tmp_path / 'w.pth')
    result = start_weights(tmp_path, drawn, tmp_path / 'w.pth')
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith('these weights do not fit EmoMAE')
    assert 'Traceback' not in result.stderr


class Malicious:
    """Leaves a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (self.file,)


def test_start_weights_with_code_do_not_run_it(drawn, tmp_path):
    trap = tmp_path / 'was_executed'
    torch.save(dict(state_dict=Malicious(str(trap))), tmp_path / 'w.pth')
    result = start_weights(tmp_path, drawn, tmp_path / 'w.pth')
    assert result.returncode != 0
    assert not trap.exists()


@pytest.mark.parametrize('key', ['batch_size', 'trian_cfg.max_epochs'])
def test_overrides_without_effect_are_refused(key):
    config = ROOT / 'configs/uniemox_vit-tiny_demo.py'
    result = train(config, '--cfg-options', f'{key}=3')
    assert result.returncode == 1
    assert f'--cfg-options {key}: training reads no such' in result.stderr


def test_wrong_arguments(tmp_path, drawn):
    result = train(ROOT / 'configs/uniemox_vit-tiny_demo.py', '--resume', 'x')
    assert result.returncode == 1
    assert result.stderr.strip() == '--resume x: no such checkpoint'
    cfg = tiny_config(drawn, tmp_path)
    plain = Config({k: v for k, v in cfg.items() if k != 'auto_scale_lr'})
    plain.dump(tmp_path / 'c.py')
    result = train(tmp_path / 'c.py', '--auto-scale-lr')
    assert result.returncode == 1
    assert 'needs auto_scale_lr' in result.stderr
