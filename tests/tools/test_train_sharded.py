"""tools/train.py with FlexibleRunner: sharded, then in fewer processes."""

import json
import math

import numpy as np
import pytest

from tests.helpers import EMO_MAE, build
from tests.tools.test_train import execute, write_config
from uniemox_mm.apis import load_weights

pytestmark = pytest.mark.slow
STRATEGY = """
runner_type = 'FlexibleRunner'
strategy = dict(
    type='EmoFSDPStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        auto_wrap_policy='wrap_transformer_layers',
    ),
)
"""
HOOK = 'default_hooks.resumed_schedule.type=ResumedScheduleHook'


@pytest.fixture
def config(drawn, tmp_path):
    path = write_config(tmp_path, drawn, tmp_path / 'work')
    path.write_text(path.read_text() + STRATEGY)
    return path


def dist_train(config, processes, *arguments):
    options = [HOOK, 'default_hooks.logger.interval=1']
    result = execute(
        *('bash', 'tools/dist_train.sh', config, processes, *arguments),
        *('--cfg-options', *options),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def rates(work_dir):
    """Iteration -> learning rate, of the newest log."""
    log = max(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return {row['step']: row['lr'] for row in rows}


@pytest.mark.long
def test_two_processes_then_one(config, tmp_path):
    """32 images in batches of 8: 2 iterations an epoch, then 4."""
    work_dir = tmp_path / 'work'
    text = dist_train(config, 2, '--auto-scale-lr')
    assert (
        'The learning rate is for batches of 32, and 2 x 8 makes 16: it '
        'becomes 0.00075 in place of 0.0015.'
    ) in text
    keys = load_weights(work_dir / 'epoch_3.pth').keys()
    assert keys == build(EMO_MAE).state_dict().keys()
    for name in ('epoch_2.pth', 'epoch_3.pth'):
        (work_dir / name).unlink()
    text = dist_train(config, 1, '--auto-scale-lr', '--resume')
    assert f'Resuming from {work_dir}/epoch_1.pth.' in text
    line = next(x for x in text.splitlines() if 'goes on after' in x)
    assert 'after 1 of 3 epochs, in epochs of 4 iterations with 8' in line
    found = rates(work_dir)
    # A cosine over the two epochs after the warm-up, of 4 iterations each.
    expected = [
        1.5e-3 * 8 / 32 * (1 + math.cos(math.pi * step / 8)) / 2
        for step in range(8)
    ]
    assert list(found) == list(range(5, 13))
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-9)
