"""tools/train.py on the command line: killed, interrupted and resumed."""

import json
import math
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests.helpers import (
    BACKBONE,
    EMO_MAE,
    ROOT,
    Malicious,
    build,
    execute,
    tiny_config,
)
from uniemox_mm.apis import load_weights

pytestmark = pytest.mark.slow


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


def train(config, *arguments, code=0):
    """Train in one process and check the exit status."""
    result = execute(sys.executable, 'tools/train.py', config, *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    return result


def dist_train(config, *arguments, processes=2, code=0):
    """Train in several processes; any failure counts as ``code=1``."""
    result = execute(
        *('bash', 'tools/dist_train.sh', config, processes, *arguments)
    )
    assert bool(result.returncode) == code, result.stdout + result.stderr
    return result


def assert_same_end(one, other):
    """Check that weights and optimizer state agree after the last epoch."""
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
    return folder / 'work', train(config, '--amp')


def test_run_saves_its_checkpoints(uninterrupted):
    work_dir, result = uninterrupted
    names = {path.name for path in work_dir.iterdir()}
    assert {'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'} <= names
    assert 'fp32 instead of AMP' in result.stdout.splitlines()[0]
    assert not [n for n in names if n.endswith('.tmp')]
    keys = load_weights(work_dir / 'epoch_3.pth').keys()
    assert keys == build(EMO_MAE).state_dict().keys()


def kills(sig, count, place='after_train_iter', long=True):
    return pytest.param(
        dict(sig=sig, count=count, place=place),
        marks=[pytest.mark.long] if long else [],
        id=f'{place}-{count}',
    )


@pytest.mark.parametrize(
    'kill',
    [
        kills('SIGKILL', 2),
        kills('SIGKILL', 7),
        kills('SIGKILL', 2, 'fsync', long=False),
        kills('SIGKILL', 2, 'after_train_epoch'),
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    drawn, tmp_path, uninterrupted, kill
):
    work_dir = tmp_path / 'work'
    config = write_config(tmp_path, drawn, work_dir, kill)
    train(config, code=-9)
    if kill['place'] == 'fsync':
        assert (work_dir / 'epoch_1.pth').exists()
        assert not (work_dir / 'epoch_2.pth').exists()
        assert list(work_dir.glob('.epoch_2.pth-*.tmp'))
    config = write_config(tmp_path, drawn, work_dir)
    result = train(config, '--resume')
    assert not list(work_dir.glob('.*.tmp'))
    if kill['count'] == 2 and kill['place'] == 'after_train_iter':
        assert f'Nothing to resume in {work_dir}' in result.stdout
    assert_same_end(work_dir, uninterrupted[0])


@pytest.mark.parametrize(
    'sig', ['SIGINT', pytest.param('SIGTERM', marks=pytest.mark.long)]
)
def test_interrupted_run_prints_the_resuming_command(
    drawn, tmp_path, uninterrupted, sig
):
    work_dir = tmp_path / 'work'
    kill = dict(sig=sig, place='after_train_iter', count=6)
    config = write_config(tmp_path, drawn, work_dir, kill)
    result = train(config, '--work-dir', work_dir, code=130)
    assert 'Traceback' not in result.stdout + result.stderr
    *_, message, command = result.stderr.splitlines()
    assert 'Interrupted' in message
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
    dist_train(write_config(tmp_path, drawn, tmp_path / 'whole'))
    kill = dict(sig='SIGKILL', place='after_train_iter', count=3, rank=1)
    cut = write_config(tmp_path, drawn, tmp_path / 'cut', kill)
    dist_train(cut, code=1)
    cut = write_config(tmp_path, drawn, tmp_path / 'cut')
    result = dist_train(cut, '--resume')
    assert 'epoch_1.pth' in result.stdout
    assert_same_end(tmp_path / 'cut', tmp_path / 'whole')


def break_image(root):
    path = sorted(root.glob('image/*/*_00000.jpg'))[0]
    path.write_bytes(path.read_bytes()[:-200])
    return path


def test_skipped_samples_are_listed_after_the_epoch(own_drawn, tmp_path):
    cfg = tiny_config(own_drawn, tmp_path / 'work')
    cfg.train_cfg.max_epochs = 1
    cfg.train_dataloader.dataset.on_bad_sample = 'skip'
    cfg.dump(tmp_path / 'c.py')
    image = break_image(own_drawn)
    (own_drawn / 'annotation/fear/fear_00000.json').write_text('{')
    text = train(tmp_path / 'c.py').stdout
    assert 'Epoch 1: skipped 2 broken samples:' in text
    listed = text.split('broken samples:')[1].splitlines()[1:3]
    assert 'fear_00000.json' in listed[0]
    assert str(image) in listed[1]


def test_error_ends_with_the_name_of_a_broken_image(own_drawn, tmp_path):
    tiny_config(own_drawn, tmp_path / 'work').dump(tmp_path / 'c.py')
    image = break_image(own_drawn)
    result = train(tmp_path / 'c.py', code=1)
    last = result.stderr.strip().splitlines()[-1]
    assert str(image) in last and 'truncated' in last


def train_from(tmp_path, drawn, weights):
    torch.save(dict(state_dict=weights), tmp_path / 'w.pth')
    cfg = tiny_config(drawn, tmp_path / 'work')
    cfg.load_from = str(tmp_path / 'w.pth')
    cfg.train_cfg.max_epochs = 1
    cfg.dump(tmp_path / 'c.py')
    return train(tmp_path / 'c.py', code=1)


def test_start_weights_of_another_model_are_refused(drawn, tmp_path):
    wide = dict(BACKBONE['arch'], feedforward_channels=96)
    other = build(EMO_MAE, backbone=dict(BACKBONE, arch=wide))
    result = train_from(tmp_path, drawn, other.state_dict())
    last = result.stderr.strip().splitlines()[-1]
    assert 'do not fit EmoMAE' in last
    assert 'Traceback' not in result.stderr


def test_code_in_start_weights_does_not_run(drawn, tmp_path):
    trap = tmp_path / 'was_executed'
    train_from(tmp_path, drawn, Malicious(trap))
    assert not trap.exists()


@pytest.mark.parametrize('key', ['batch_size', 'trian_cfg.max_epochs'])
def test_overrides_without_effect_are_refused(key):
    config = ROOT / 'configs/uniemox_vit-tiny_demo.py'
    result = train(config, '--cfg-options', f'{key}=3', code=1)
    assert f'--cfg-options {key}: ' in result.stderr


def test_wrong_arguments(tmp_path, drawn):
    config = ROOT / 'configs/uniemox_vit-tiny_demo.py'
    result = train(config, '--resume', 'x', code=1)
    assert result.stderr.strip() == '--resume x: no such checkpoint'
    cfg = tiny_config(drawn, tmp_path)
    plain = Config({k: v for k, v in cfg.items() if k != 'auto_scale_lr'})
    plain.dump(tmp_path / 'c.py')
    result = train(tmp_path / 'c.py', '--auto-scale-lr', code=1)
    assert 'needs auto_scale_lr' in result.stderr


FSDP = """
runner_type = 'FlexibleRunner'
strategy = dict(
    type='EmoFSDPStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        auto_wrap_policy='wrap_transformer_layers',
    ),
)
"""


def logged_rates(work_dir):
    """Iteration -> learning rate, of the newest log."""
    log = max(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return {row['step']: row['lr'] for row in rows}


@pytest.mark.long
def test_sharded_run_resumes_in_fewer_processes(drawn, tmp_path):
    """32 images in batches of 8: 2 iterations an epoch, then 4."""
    work_dir = tmp_path / 'work'
    config = write_config(tmp_path, drawn, work_dir)
    config.write_text(config.read_text() + FSDP)
    options = [
        *('--auto-scale-lr', '--cfg-options'),
        'default_hooks.resumed_schedule.type=ResumedScheduleHook',
        'default_hooks.logger.interval=1',
    ]
    text = dist_train(config, *options).stdout
    assert re.search('batches of 32, and 2 x 8 makes 16: .*0.00075', text)
    keys = load_weights(work_dir / 'epoch_3.pth').keys()
    assert keys == build(EMO_MAE).state_dict().keys()
    for name in ('epoch_2.pth', 'epoch_3.pth'):
        (work_dir / name).unlink()
    text = dist_train(config, '--resume', *options, processes=1).stdout
    assert f'Resuming from {work_dir}/epoch_1.pth.' in text
    assert 'after 1 of 3 epochs, in epochs of 4 iterations with 8' in text
    found = logged_rates(work_dir)
    # A cosine over the two epochs after the warm-up, of 4 iterations each.
    expected = [
        1.5e-3 * 8 / 32 * (1 + math.cos(math.pi * step / 8)) / 2
        for step in range(8)
    ]
    assert list(found) == list(range(5, 13))
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-9)
