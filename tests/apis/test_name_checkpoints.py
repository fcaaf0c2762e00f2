"""Configs and names of checkpoints on a command line."""

import shutil

import pytest

from tests.apis.classifiers import write_work_dir
from uniemox_mm.apis.name_checkpoints import name_checkpoints
from uniemox_mm.utils.short_names import short_names


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory):
    return write_work_dir(tmp_path_factory.mktemp('pictures') / 'ft')


def test_short_names_tell_paths_apart():
    assert short_names(['a/b/epoch_1.pth']) == ['epoch_1']
    assert short_names(['a/b/x.pth', 'a/c/x.pth']) == ['b/x', 'c/x']
    assert short_names(['runs/v1.0', 'runs/v2.0']) == ['v1.0', 'v2.0']
    assert short_names(['a/x.jpg', 'b/x.jpg']) == ['a/x.jpg', 'b/x.jpg']


def test_configs_are_found_beside_checkpoints_or_given(work_dir, tmp_path):
    file = work_dir / 'epoch_3.pth'
    one, two = name_checkpoints([str(work_dir), str(file)])
    assert one.path == two.path == str(file)
    assert (one.name, two.name) == ('ft', 'epoch_3')
    assert one.config.model.type == 'ImageClassifier'
    copy = shutil.copy(file, tmp_path / 'alone.pth')
    with pytest.raises(FileNotFoundError, match='no config beside it'):
        name_checkpoints([copy])
    (found,) = name_checkpoints(
        [copy], [str(work_dir / 'ft.py')], ['ours'], data_root='data/x'
    )
    assert found.name == 'ours'
    assert found.config.test_dataloader.dataset.data_root == 'data/x'


def test_wrong_counts_are_refused(work_dir):
    two = [str(work_dir), str(work_dir / 'epoch_3.pth')]
    config = str(work_dir / 'ft.py')
    with pytest.raises(ValueError, match='3 configs for 2 checkpoints'):
        name_checkpoints(two, [config] * 3)
    for names in (['a'], ['a', 'a']):
        message = f'expected 2 names that differ, .* got {", ".join(names)}$'
        with pytest.raises(ValueError, match=message):
            name_checkpoints(two, names=names)
    with pytest.raises(FileNotFoundError, match=r'gone\.pth: no such'):
        name_checkpoints(['gone.pth'])
