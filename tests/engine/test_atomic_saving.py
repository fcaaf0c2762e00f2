import os
import stat
from pathlib import Path

import pytest
from mmengine.fileio import get_file_backend

from uniemox_mm.engine import AtomicLocalBackend, AtomicSavingMixin


def test_backend_writes_and_replaces(tmp_path):
    backend = get_file_backend(backend_args=dict(backend='atomic'))
    assert isinstance(backend, AtomicLocalBackend)
    file = tmp_path / 'new' / 'a.pth'
    backend.put(b'one', file)
    backend.put_text('zwei', file)
    assert file.read_text() == 'zwei'
    assert [p.name for p in file.parent.iterdir()] == ['a.pth']
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize('step', ['write', 'rename'])
def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch, step):
    backend = AtomicLocalBackend()
    file = tmp_path / 'a.pth'
    backend.put(b'good', file)

    def fail(*args):
        raise OSError('disk full')

    place = (os, 'fsync') if step == 'write' else (Path, 'replace')
    monkeypatch.setattr(*place, fail)
    with pytest.raises(OSError, match='disk full'):
        backend.put(b'bad', file)
    assert file.read_bytes() == b'good'
    assert [p.name for p in tmp_path.iterdir()] == ['a.pth']


class Files:
    """Save as MMEngine's strategies do, or break off."""

    def save_checkpoint(self, filename, *, content, folder=False):
        path = Path(filename)
        if folder:
            path.mkdir()
            path = path / 'part.pt'
        path.write_text(content)
        if content == 'half':
            raise KeyboardInterrupt


class Strategy(AtomicSavingMixin, Files):
    pass


@pytest.mark.parametrize('folder', [False, True])
def test_strategies_save_atomically(tmp_path, folder):
    path = tmp_path / 'epoch_1.pth'
    file = path / 'part.pt' if folder else path
    strategy = Strategy()

    def save(content):
        strategy.save_checkpoint(str(path), content=content, folder=folder)

    with pytest.raises(KeyboardInterrupt):
        save('half')
    assert not path.exists()
    save('first')
    assert file.read_text() == 'first'
    with pytest.raises(KeyboardInterrupt):
        save('half')
    assert file.read_text() == 'first'
    save('second')
    assert file.read_text() == 'second'
    assert list(tmp_path.iterdir()) == [path]
