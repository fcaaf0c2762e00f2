import multiprocessing

import lmdb
import numpy as np
import pytest
from mmengine import fileio
from PIL import Image

from uniemox_mm.datasets import BadSampleError, LoadEmotionImage, lmdb_paths
from uniemox_mm.datasets.lmdb_paths import split_lmdb_path


@pytest.fixture
def store(tmp_path):
    picture = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    Image.fromarray(picture).save(tmp_path / 'a.png')
    with (
        lmdb.open(str(tmp_path / 'image.lmdb')) as database,
        database.begin(write=True) as transaction,
    ):
        content = (tmp_path / 'a.png').read_bytes()
        transaction.put(b'awe/a.png', content)
        transaction.put(b'awe/text.png', b'hello')
    return tmp_path


def load_alone(path):
    """In a forked process, which must not use what another opened."""
    return len(lmdb_paths._OPEN), load(path)


def load(path):
    return LoadEmotionImage()(dict(img_path=str(path)))['img']


def test_an_image_in_a_database_is_that_of_the_file(store):
    expected = load(store / 'a.png')
    np.testing.assert_array_equal(
        load(store / 'image.lmdb/awe/a.png'), expected
    )
    # In a process that was made while the database was open here.
    with multiprocessing.get_context('fork').Pool(1) as pool:
        opened, other = pool.apply(
            load_alone, (store / 'image.lmdb/awe/a.png',)
        )
    assert opened == 0
    np.testing.assert_array_equal(other, expected)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('image.lmdb/awe/b.png', 'no such image'),
        ('other.lmdb/awe/a.png', 'no such image'),
        ('image.lmdb/awe/text.png', 'not an image'),
    ],
)
def test_what_is_not_there_is_a_bad_sample(store, name, message):
    with pytest.raises(BadSampleError, match=f'{store / name}.*{message}'):
        load(store / name)


def test_a_missing_library_is_not_a_bad_sample(store, monkeypatch):
    def absent(*_, **__):
        raise ImportError('Please run "pip install lmdb"')

    monkeypatch.setattr(fileio, 'get', absent)
    with pytest.raises(ImportError, match='pip install lmdb'):
        load(store / 'image.lmdb/awe/a.png')


def test_paths():
    assert split_lmdb_path('a/b.jpg') is None
    assert split_lmdb_path('a/b.lmdb') is None
    database, key = split_lmdb_path('/a/b.lmdb/c/d.jpg')
    assert (str(database), key) == ('/a/b.lmdb', 'c/d.jpg')
