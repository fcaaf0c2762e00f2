import os
import struct
import zipfile

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

from tests.helpers import CLASSIFIER, EMO_MAE, build
from uniemox_mm.apis import load_pretrained, load_weights
from uniemox_mm.apis.pretrained import build_model
from uniemox_mm.weights.encoder_weights import MisfitError


def test_builds_and_fills_the_model(tmp_path):
    source = build(EMO_MAE)
    torch.save(dict(state_dict=source.state_dict()), tmp_path / 'epoch_2.pth')
    model = load_pretrained(Config(dict(model=EMO_MAE)), tmp_path)
    assert not model.training
    for name, value in source.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_another_architecture_is_told_in_a_line(tmp_path):
    path = tmp_path / 'epoch_2.pth'
    weights = build(CLASSIFIER).state_dict()
    config = Config(dict(model=CLASSIFIER))
    changed = {**weights, 'backbone.cls_token': torch.zeros(1, 1, 64)}
    torch.save(dict(state_dict=changed), path)
    with pytest.raises(MisfitError) as caught:
        load_pretrained(config, path)
    assert str(caught.value) == (
        f'{path}: 1 of {len(weights)} tensors has another shape '
        '(backbone.cls_token (1, 1, 64), config (1, 1, 32)): the config is of '
        'another architecture'
    )
    del weights['backbone.cls_token']
    torch.save(dict(state_dict=weights), path)
    with pytest.raises(MisfitError, match='pth: keys 1 missing: back'):
        load_pretrained(config, path)
    with pytest.raises(MisfitError, match='pth: these weights do not fit Em'):
        load_pretrained(Config(dict(model=EMO_MAE)), path)


def test_the_config_stays_as_it_is():
    pixels = dict(mean=[1.0], std=[2.0])
    config = Config(dict(model=CLASSIFIER, data_preprocessor=pixels))
    before = config.to_dict()
    build_model(config)
    assert config.to_dict() == before


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


def test_nothing_is_reached_through_mmengines_allow_list(tmp_path):
    """MMEngine allows getattr, which leads a hand-written file to eval."""
    path, trap = tmp_path / 'evil.pth', tmp_path / 'executed'

    def text(value):
        raw = value.encode()
        return b'X' + struct.pack('<I', len(raw)) + raw

    def attribute(owner, name):
        return b'cbuiltins\ngetattr\n(' + owner + text(name) + b'tR'

    evaluate = attribute(
        attribute(b'cbuiltins\ngetattr\n', '__self__'), 'eval'
    )
    history = b'cmmengine.logging.history_buffer\nHistoryBuffer\n)R'
    code = f"__import__('pathlib').Path({str(trap)!r}).touch()"
    program = b'\x80\x02}' + text('state_dict') + b'}' + text('w') + history
    program += b'}' + text('__setstate__') + evaluate + b'sb'
    program += text(code) + b'bss.'
    torch.save(dict(a=torch.zeros(1)), tmp_path / 'base.pth')
    with (
        zipfile.ZipFile(tmp_path / 'base.pth') as source,
        zipfile.ZipFile(path, 'w') as target,
    ):
        for name in source.namelist():
            own = program if name.endswith('data.pkl') else source.read(name)
            target.writestr(name, own)
    with pytest.raises(ValueError, match='nothing was loaded'):
        load_weights(path)
    assert not trap.exists()


def test_mmengines_logs_beside_the_weights(tmp_path):
    history = HistoryBuffer()
    history.update(1.0)
    content = dict(
        state_dict=dict(a=torch.ones(2)), message_hub=dict(loss=history)
    )
    torch.save(content, tmp_path / 'a.pth')
    assert torch.equal(load_weights(tmp_path / 'a.pth')['a'], torch.ones(2))


def test_missing_checkpoints(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such checkpoint'):
        load_weights(tmp_path / 'x.pth')
    with pytest.raises(FileNotFoundError, match=r'holds no epoch_\*\.pth'):
        load_pretrained(Config(dict(model=EMO_MAE)), tmp_path)
