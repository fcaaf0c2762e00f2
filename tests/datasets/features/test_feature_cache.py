import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch.utils.data import DataLoader

from uniemox_mm.datasets import EmoSet, ImageFeatures, TextFeatures
from uniemox_mm.datasets.base_emotion import image_key
from uniemox_mm.datasets.errors import StaleFeaturesError
from uniemox_mm.datasets.features.feature_cache import (
    FILE,
    key_hash,
    wait_for_features,
    write_features,
)

TEACHER = dict(model='ViT-B-16', embed_dim=4, weights_sha256='abc')
IMAGES = [f'image/awe/awe_{i:05d}.jpg' for i in range(5)]
ROWS = (np.arange(20).reshape(5, 4) / 3).astype(np.float16)


def write(folder, images=IMAGES, rows=ROWS, teacher=TEACHER):
    write_features(folder, images, rows, teacher)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / 'cache')


def test_rows_are_those_of_the_images(folder):
    features = ImageFeatures(folder, TEACHER, 5)
    for i in (4, 0, 2):
        found = features.row(i, IMAGES[i])
        assert found.dtype == np.float16
        np.testing.assert_array_equal(found, ROWS[i])
        found[:] = 0  # a copy
        np.testing.assert_array_equal(features.row(i, IMAGES[i]), ROWS[i])
    assert [path.name for path in folder.iterdir()] == [FILE]
    tensors = load_file(folder / FILE)
    assert sorted(tensors) == ['features', 'hashes', 'keys']
    assert tensors['keys'].tobytes().decode().splitlines() == IMAGES


def test_unpickled_cache_reads_the_same_rows(tmp_path):
    many = [f'{i}.jpg' for i in range(5000)]
    rows = np.arange(20_000).reshape(5000, 4).astype(np.float16)
    features = ImageFeatures(write(tmp_path / 'c', many, rows), TEACHER, 5000)
    features.row(3, '3.jpg')
    pickled = pickle.dumps(features)
    assert len(pickled) < 1000
    found = pickle.loads(pickled).row(4999, '4999.jpg')
    np.testing.assert_array_equal(found, rows[4999])


def test_a_worker_refuses_a_cache_replaced_meanwhile(folder):
    pickled = pickle.dumps(ImageFeatures(folder, TEACHER, 5))
    (folder / FILE).unlink()
    write(folder, teacher=dict(TEACHER, model='ViT-L-14'))
    copy = pickle.loads(pickled)
    with pytest.raises(StaleFeaturesError, match="model was 'ViT-L-14'"):
        copy.row(0, IMAGES[0])


def test_row_of_another_image_is_refused(folder):
    features = ImageFeatures(folder, TEACHER, 5)
    other = 'image/fear/fear_00001.jpg'
    with pytest.raises(StaleFeaturesError) as error:
        features.row(3, other)
    for part in (folder, 'row 3', IMAGES[3], other, f'remove {folder}'):
        assert str(part) in str(error.value)


def test_row_of_another_caption_is_refused(tmp_path):
    captions = ['a dog', '', 'a cät', 'a bird', '']
    write(tmp_path / 'c', captions)
    features = TextFeatures(tmp_path / 'c', TEACHER, 5)
    for i, caption in enumerate(captions):
        features.row(i, caption, 'x.jpg')
    features.row(1, None, 'x.jpg')  # checked before
    with pytest.raises(StaleFeaturesError) as error:
        features.row(2, 'a horse', 'awe_1.jpg')
    for part in (tmp_path, "'a cät'", 'awe_1.jpg', "'a horse'"):
        assert str(part) in str(error.value)


@pytest.mark.parametrize(
    ('changes', 'count', 'difference'),
    [
        (dict(weights_sha256='xyz'), 5, "weights_sha256 was 'abc' and is 'x"),
        (
            dict(model='ViT-L-14'),
            6,
            "count was 5 and is 6; model was 'ViT-B-16' and is 'ViT-L-14'",
        ),
    ],
)
def test_foreign_cache_says_what_differs(folder, changes, count, difference):
    with pytest.raises(StaleFeaturesError, match=difference) as error:
        ImageFeatures(folder, {**TEACHER, **changes}, count)
    assert f'remove {folder}' in str(error.value)


def test_another_format_is_refused(folder, monkeypatch):
    monkeypatch.setattr(
        'uniemox_mm.datasets.features.feature_cache.FORMAT', 99
    )
    with pytest.raises(StaleFeaturesError, match='format was 2 and is 99'):
        ImageFeatures(folder, TEACHER, 5)


def test_tuples_in_a_config_do_not_make_a_cache_stale(tmp_path):
    teacher = dict(TEACHER, architecture=dict(layers=(1, 2)))
    features = ImageFeatures(write(tmp_path, teacher=teacher), teacher, 5)
    np.testing.assert_array_equal(features.row(1, IMAGES[1]), ROWS[1])


@pytest.mark.parametrize(
    ('name', 'shape'), [('features', (5, 3)), ('hashes', (4,))]
)
def test_other_shapes_are_refused(folder, name, shape):
    path = folder / FILE
    with safe_open(path, 'np') as file:
        metadata = file.metadata()
    tensors = {**load_file(path), name: np.zeros(shape)}
    save_file(tensors, path, metadata)
    with pytest.raises(StaleFeaturesError, match='shapes of features'):
        ImageFeatures(folder, TEACHER, 5)


@pytest.mark.parametrize(
    'content',
    [
        None,
        lambda whole: b'',
        lambda whole: whole[:40],
        lambda whole: whole[:-8],
        lambda whole: whole.replace(b'"settings":"{', b'"settings":"['),
        lambda whole: whole.replace(b'"settings"', b'"anything"'),
        lambda whole: whole.replace(b'"hashes"', b'"hushes"'),
    ],
)
def test_damaged_cache_is_refused(folder, content):
    path = folder / FILE
    whole = path.read_bytes()
    path.unlink()
    if content is not None:
        assert content(whole) != whole
        path.write_bytes(content(whole))
    with pytest.raises(StaleFeaturesError, match='not a cache of image feat'):
        ImageFeatures(folder, TEACHER, 5)


def test_the_faster_of_two_runs_wins(folder):
    before = (folder / FILE).read_bytes()
    write(folder, rows=0 * ROWS)
    assert (folder / FILE).read_bytes() == before
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_waiting_is_reported_once_a_minute(tmp_path, monkeypatch):
    seconds, said = [], []

    def sleep(second):
        seconds.append(second)
        if len(seconds) == 100:
            write(tmp_path / 'c')

    monkeypatch.setattr('time.sleep', sleep)
    wait_for_features(tmp_path / 'c', said.append)
    assert seconds == 100 * [1]
    assert len(said) == 2 and all(f'{tmp_path}/c' in text for text in said)


def test_others_may_read_it(folder):
    umask = os.umask(0)
    os.umask(umask)
    mode = stat.S_IMODE((folder / FILE).stat().st_mode)
    assert mode == 0o666 & ~umask


def test_keys_do_not_depend_on_root_or_machine():
    name = 'image/awe/awe_00000.jpg'
    for root in ('data/EmoSet', '/elsewhere'):
        assert image_key(f'{root}/{name}', root) == name
    assert image_key('/other/a.jpg', '/elsewhere') == '/other/a.jpg'
    # Stored: little-endian BLAKE2b, as hashlib gives it in any process.
    assert key_hash(name) == 0x8098701F82A9A955


def attached(root, folder, **options):
    """A dataset with features that tell the index of the sample."""
    dataset = EmoSet(str(root), **options)
    count = len(dataset)
    rows = np.tile(np.arange(count, dtype=np.float16)[:, None], 4)
    keys = [dataset.image_key(i) for i in range(count)]
    write(folder, keys, rows)
    dataset.attach_image_features(ImageFeatures(folder, TEACHER, count))
    return dataset


def test_dataset_returns_its_rows(drawn, tmp_path):
    dataset = attached(drawn, tmp_path / 'c')
    for i in (0, 7, 23):
        np.testing.assert_array_equal(dataset[i]['image_feature'], 4 * [i])
    assert 'image_feature' not in EmoSet(str(drawn))[0]
    keys = [dataset.image_key(i) for i in range(24)]
    assert keys[0].startswith('image/')
    assert all((drawn / key).is_file() for key in keys)


@pytest.mark.parametrize(
    'start', ['fork', pytest.param('spawn', marks=pytest.mark.slow)]
)
def test_workers_return_the_same_rows(drawn, tmp_path, start):
    dataset = attached(drawn, tmp_path / 'c')
    dataset[0]  # the file is open before the workers start
    loader = DataLoader(
        dataset,
        6,
        num_workers=2,
        collate_fn=list,
        multiprocessing_context=start,
    )
    rows = [each['image_feature'] for batch in loader for each in batch]
    np.testing.assert_array_equal(np.array(rows)[:, 0], np.arange(24))


def test_another_order_of_the_images_is_refused(drawn, tmp_path):
    attached(drawn, tmp_path / 'c', split=['train', 'val'])
    turned = attached(drawn, tmp_path / 'c', split=['val', 'train'])
    before, now = (turned.image_key(i) for i in (8, 0))
    with pytest.raises(
        StaleFeaturesError, match=f"row 0 .*'{before}'.*'{now}'"
    ):
        turned[0]


def test_a_skipped_image_takes_the_row_of_the_next(own_drawn, tmp_path):
    keys = attached(own_drawn, tmp_path / 'c')
    broken = Path(keys.get_data_info(3)['img_path'])
    broken.write_bytes(broken.read_bytes()[:100])
    dataset = attached(
        own_drawn,
        tmp_path / 'c',
        on_bad_sample='skip',
        pipeline=[dict(type='LoadEmotionImage')],
    )
    assert [dataset[i]['image_feature'][0] for i in (2, 3, 4)] == [2, 4, 4]
