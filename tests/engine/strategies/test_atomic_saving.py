from pathlib import Path

import pytest

from uniemox_mm.engine.strategies import AtomicSavingMixin


class Files:
    """Saves as MMEngine's strategies do, or breaks off."""

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
def test_a_save_is_whole_or_not_there(tmp_path, folder):
    path = tmp_path / 'epoch_1.pth'
    file = path / 'part.pt' if folder else path
    strategy = Strategy()
    with pytest.raises(KeyboardInterrupt):
        strategy.save_checkpoint(str(path), content='half', folder=folder)
    assert not path.exists()
    strategy.save_checkpoint(str(path), content='first', folder=folder)
    assert file.read_text() == 'first'
    with pytest.raises(KeyboardInterrupt):
        strategy.save_checkpoint(str(path), content='half', folder=folder)
    assert file.read_text() == 'first'
    strategy.save_checkpoint(str(path), content='second', folder=folder)
    assert file.read_text() == 'second'
    assert list(tmp_path.iterdir()) == [path]
