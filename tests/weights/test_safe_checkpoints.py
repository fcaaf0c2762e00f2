import os

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import checkpoint

from tests.engine.hooks.test_resumed_schedule_hook import run
from uniemox_mm.weights.safe_checkpoints import distrust_checkpoints


@pytest.fixture
def restored(monkeypatch):
    """Undoes what is done to the process."""
    monkeypatch.setattr(Config, 'fromstring', Config.fromstring)
    name = 'get_torch_safe_globals'
    if hasattr(checkpoint, name):
        monkeypatch.setattr(checkpoint, name, getattr(checkpoint, name))
    variable = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    monkeypatch.setenv(variable, '')
    del os.environ[variable]


@pytest.mark.parametrize('distrusted', [False, True])
def test_the_config_in_a_checkpoint_is_not_run(tmp_path, restored, distrusted):
    """MMEngine runs it, or there were nothing to forbid."""
    run(tmp_path, 4, until=1)
    trap = tmp_path / 'was_executed'
    content = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    content['meta']['config'] = f'import os\nos.mkdir({str(trap)!r})\n'
    torch.save(content, tmp_path / 'foreign.pth')
    if distrusted:
        distrust_checkpoints()
    runner, _ = run(tmp_path, 4, until=2, resume=tmp_path / 'foreign.pth')
    assert runner.epoch == 2
    assert trap.exists() is not distrusted
