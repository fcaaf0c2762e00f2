import os
import stat
from pathlib import Path

import pytest
from mmengine.fileio import get_file_backend

from uniemox_mm.engine import AtomicLocalBackend


def test_is_registered_under_its_name():
    backend = get_file_backend(backend_args=dict(backend='atomic'))
    assert isinstance(backend, AtomicLocalBackend)


def test_writes_and_replaces(tmp_path):
    backend = AtomicLocalBackend()
    file = tmp_path / 'new' / 'a.pth'
    backend.put(b'one', file)
    backend.put_text('zwei', file)
    assert file.read_text() == 'zwei'
    assert [p.name for p in file.parent.iterdir()] == ['a.pth']
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize('step', ['write', 'rename'])
def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch, step):
    backend = AtomicLocalBackend()
    file = tmp_path / 'a.pth'
    backend.put(b'good', file)

    def fail(*args):
        raise OSError('disk full')

    if step == 'write':
        monkeypatch.setattr(os, 'fsync', fail)
    else:
        monkeypatch.setattr(Path, 'replace', fail)
    with pytest.raises(OSError, match='disk full'):
        backend.put(b'bad', file)
    assert file.read_bytes() == b'good'
    assert [p.name for p in tmp_path.iterdir()] == ['a.pth']
