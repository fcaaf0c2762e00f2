"""Only weights are read, whatever a file holds."""

import struct
import zipfile

import pytest
import torch
from mmengine.logging import HistoryBuffer

from tests.helpers import Malicious
from uniemox_mm.weights.read_checkpoint import load_weights


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


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such checkpoint'):
        load_weights(tmp_path / 'x.pth')
