import shutil

import pytest

from tests.datasets.miniatures import write_miniature


@pytest.fixture(scope='session')
def mini(tmp_path_factory):
    """Miniature downloads by name, made once, that no test may change."""
    folder = tmp_path_factory.mktemp('miniatures')

    def find(name):
        if not (folder / name).exists():
            write_miniature(name, folder / name)
        return folder / name

    return find


@pytest.fixture
def own_mini(mini, tmp_path):
    """Copies of them to write to."""
    return lambda name: shutil.copytree(mini(name), tmp_path / 'root')
