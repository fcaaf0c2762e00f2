"""MMEngine runs nothing of a checkpoint, and nobody a TorchScript archive."""

import os
import pickle
import zipfile

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import checkpoint

from tests.engine.hooks.resumed_runs import run
from tests.weights.hostile_files import (
    dumped,
    text,
    write_torchscript,
    write_without_index,
)
from uniemox_mm.weights.safe_unpickling import (
    distrust_checkpoints,
    is_torchscript,
    read_torchscript,
)

MODULE = b'\x80\x02c__torch__\nM\n'


@pytest.fixture
def restored(monkeypatch):
    """Undo what is done to the process."""
    monkeypatch.setattr(Config, 'fromstring', Config.fromstring)
    name = 'get_torch_safe_globals'
    if hasattr(checkpoint, name):
        monkeypatch.setattr(checkpoint, name, getattr(checkpoint, name))
    variable = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    monkeypatch.setenv(variable, '')
    del os.environ[variable]


@pytest.mark.parametrize('distrusted', [False, True])
def test_config_in_a_checkpoint_is_not_run(tmp_path, restored, distrusted):
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


def nested(depth):
    opened = b''.join(
        b'c__torch__\nM\n)\x81}' + text(b'x') for _ in range(depth)
    )
    return b'\x80\x02' + opened + b'N' + depth * b'sb' + b'.'


CHANGES = {
    'a-class': MODULE + b'(N}' + text(b'__new__')
    + b'ccollections\nOrderedDict\nstb.',
    'a-function': b'\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(N}'
    + text(b'__defaults__') + b')stb.',
}  # fmt: skip
# The pickle of an archive, and the cause that the message names.
ARCHIVES = {
    **{name: (pickle, 'changes more') for name, pickle in CHANGES.items()},
    'inside-itself': (
        MODULE + b')\x81q\x00}' + text(b'x') + b'h\x00sb.',
        'a module is in it twice',
    ),
    'deep': (nested(3000), 'it holds no tensors'),
    'dict': (pickle.dumps({'a': 1}, 2), 'it holds a dict and no module'),
}


@pytest.mark.parametrize('name', ARCHIVES)
def test_broken_torchscript_is_refused(name, tmp_path):
    program, cause = ARCHIVES[name]
    path = tmp_path / 'file.pt'
    write_torchscript(path, program)
    assert is_torchscript(path)
    with pytest.raises(ValueError, match=f'^{path}: .*{cause}'):
        read_torchscript(path)


def test_code_in_torchscript_is_not_run(tmp_path):
    path, canary = tmp_path / 'file.pt', tmp_path / 'canary'
    write_torchscript(path, dumped(canary))
    with pytest.raises(ValueError, match=f'^{path}: .*asks for posix.system'):
        read_torchscript(path)
    assert not canary.exists()


def test_compressed_torchscript_is_refused(tmp_path):
    path = tmp_path / 'file.pt'
    write_torchscript(path, b'\x80\x02}.', zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=f'^{path}: .*data.pkl is compressed'):
        read_torchscript(path)


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_an_archive_changes_nothing_for_the_next(tmp_path):
    for program in CHANGES.values():
        write_torchscript(tmp_path / 'bad.pt', program)
        with pytest.raises(ValueError, match='changes more'):
            read_torchscript(tmp_path / 'bad.pt')
    script = torch.jit.script(torch.nn.Linear(2, 2))
    script.save(str(tmp_path / 'good.pt'))
    found = read_torchscript(tmp_path / 'good.pt')
    assert list(found) == ['weight', 'bias']
    assert torch.equal(found['bias'], script.bias)


def test_a_broken_archive_is_not_torchscript(tmp_path):
    write_without_index(tmp_path / 'file.pt')
    assert not is_torchscript(tmp_path / 'file.pt')


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_compressed_tensors_of_torchscript_are_refused(tmp_path):
    whole, path = tmp_path / 'whole.pt', tmp_path / 'file.pt'
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(whole))
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, 'w') as new:
        for name in old.namelist():
            tensor = '/data/' in name
            kind = zipfile.ZIP_DEFLATED if tensor else zipfile.ZIP_STORED
            new.writestr(name, old.read(name), kind)
    with pytest.raises(ValueError, match=r'/data/\d+ is compressed'):
        read_torchscript(path)
