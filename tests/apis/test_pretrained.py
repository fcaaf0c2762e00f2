import os

import pytest
import torch
from mmengine.config import Config

from tests.helpers import EMO_MAE, build
from uniemox_mm.apis import load_pretrained, load_weights


def test_builds_and_fills_the_model(tmp_path):
    source = build(EMO_MAE)
    torch.save(dict(state_dict=source.state_dict()), tmp_path / 'epoch_2.pth')
    model = load_pretrained(Config(dict(model=EMO_MAE)), tmp_path)
    assert not model.training
    for name, value in source.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


class Malicious:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (self.file,)


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('code', 'nothing was loaded'),
        ('text', 'nothing was loaded'),
        ('cut', 'nothing was loaded'),
        ('other', r"expected a state dict .* found \['a'\]"),
    ],
)
def test_files_that_are_not_weights(tmp_path, kind, message):
    path, trap = tmp_path / 'w.pth', tmp_path / 'executed'
    if kind == 'code':
        torch.save(Malicious(str(trap)), path)
    elif kind == 'text':
        path.write_text('hello')
    elif kind == 'cut':
        torch.save(dict(a=torch.zeros(1000)), path)
        path.write_bytes(path.read_bytes()[:-500])
    else:
        torch.save(dict(a=3), path)
    with pytest.raises(ValueError, match=message) as error:
        load_weights(path)
    assert str(path) in str(error.value)
    assert not trap.exists()


def test_missing_checkpoints(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such checkpoint'):
        load_weights(tmp_path / 'x.pth')
    with pytest.raises(FileNotFoundError, match=r'holds no epoch_\*\.pth'):
        load_pretrained(Config(dict(model=EMO_MAE)), tmp_path)
