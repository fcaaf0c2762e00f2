import pickle
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from uniemox_mm.datasets import EmoSet, ImageFeatures
from uniemox_mm.datasets.features.feature_cache import (
    StaleFeaturesError,
    key_hash,
    write_feature_cache,
)
from uniemox_mm.datasets.features.image_features import image_key

TEACHER = dict(model='ViT-B-16', embed_dim=4, image_weights_sha256='abc')
REMEDY = (
    'remove the folder to have it made anew, or give the cache of this run '
    'another path'
)
IMAGES = [f'image/awe/awe_{i:05d}.jpg' for i in range(5)]
ROWS = (np.arange(20).reshape(5, 4) / 3).astype(np.float16)


def write(folder, images=IMAGES, rows=ROWS, teacher=TEACHER):
    blocks = [rows[:2], rows[2:]]
    write_feature_cache(
        ImageFeatures, folder, images, blocks, np.float16, teacher
    )
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
    assert sorted(path.name for path in folder.iterdir()) == [
        'features.npy',
        'hashes.npy',
        'images.txt',
        'meta.json',
    ]
    assert (folder / 'images.txt').read_text().splitlines() == IMAGES


def test_workers_get_no_copy(tmp_path):
    many = [f'{i}.jpg' for i in range(5000)]
    rows = np.arange(20_000).reshape(5000, 4).astype(np.float16)
    features = ImageFeatures(write(tmp_path / 'c', many, rows), TEACHER, 5000)
    features.row(3, '3.jpg')
    assert isinstance(features._features, np.memmap)
    assert isinstance(features._hashes, np.memmap)
    pickled = pickle.dumps(features)
    assert len(pickled) < 1000
    found = pickle.loads(pickled).row(4999, '4999.jpg')
    np.testing.assert_array_equal(found, rows[4999])


def test_an_image_in_the_place_of_another_is_refused(folder):
    features = ImageFeatures(folder, TEACHER, 5)
    with pytest.raises(StaleFeaturesError) as error:
        features.row(3, 'image/fear/fear_00001.jpg')
    assert str(error.value) == (
        f"{folder}: row 3 was made from the image '{IMAGES[3]}', but the data "
        f"set now has 'image/fear/fear_00001.jpg' there; {REMEDY}"
    )


@pytest.mark.parametrize(
    ('changes', 'count', 'difference'),
    [
        (
            dict(image_weights_sha256='xyz'),
            5,
            "image_weights_sha256 was 'abc' and is 'xyz'",
        ),
        (
            dict(model='ViT-L-14'),
            6,
            "count was 5 and is 6; model was 'ViT-B-16' and is 'ViT-L-14'",
        ),
    ],
)
def test_a_foreign_cache_says_what_differs(folder, changes, count, difference):
    with pytest.raises(StaleFeaturesError) as error:
        ImageFeatures(folder, {**TEACHER, **changes}, count)
    assert str(error.value) == (
        f'{folder}: these image features were made for something else: '
        f'{difference}; {REMEDY}'
    )


@pytest.mark.parametrize(
    ('name', 'shape', 'expected'),
    [('features', (5, 3), '(5, 4)'), ('hashes', (4,), '(5,)')],
)
def test_files_of_other_shapes_are_refused(folder, name, shape, expected):
    np.save(folder / f'{name}.npy', np.zeros(shape))
    with pytest.raises(StaleFeaturesError) as error:
        ImageFeatures(folder, TEACHER, 5)
    assert str(error.value) == (
        f'{folder}: these image features were made for something else: '
        f'{name}.npy is {shape}, expected {expected}; {REMEDY}'
    )


@pytest.mark.parametrize('name', ['features.npy', 'hashes.npy', 'meta.json'])
@pytest.mark.parametrize('damage', ['missing', 'empty', 'truncated'])
def test_a_damaged_cache_is_refused(folder, name, damage):
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage != 'missing':
        path.write_bytes(content[: len(content) - 8] * (damage != 'empty'))
    with pytest.raises(StaleFeaturesError) as error:
        ImageFeatures(folder, TEACHER, 5)
    message = str(error.value)
    assert message.startswith(f'{folder}: not a cache of image features (')
    assert message.endswith(f'); {REMEDY}')


def test_images_have_the_same_names_wherever_they_lie():
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
    if not folder.exists():
        keys = [dataset.image_key(i) for i in range(count)]
        write(folder, keys, rows)
    dataset.attach_image_features(ImageFeatures(folder, TEACHER, count))
    return dataset


def test_dataset_hands_out_its_rows(drawn, tmp_path):
    dataset = attached(drawn, tmp_path / 'c')
    for i in (0, 7, 23):
        np.testing.assert_array_equal(dataset[i]['image_feature'], 4 * [i])
    assert 'image_feature' not in EmoSet(str(drawn))[0]
    keys = (tmp_path / 'c/images.txt').read_text().splitlines()
    assert keys[0].startswith('image/') and len(keys) == 24
    assert all((drawn / key).is_file() for key in keys)


def test_workers_hand_out_the_same_rows(drawn, tmp_path):
    dataset = attached(drawn, tmp_path / 'c')
    loader = DataLoader(
        dataset, 6, num_workers=2, collate_fn=lambda batch: batch
    )
    rows = [each['image_feature'] for batch in loader for each in batch]
    np.testing.assert_array_equal(np.array(rows)[:, 0], np.arange(24))


def test_another_order_of_the_images_is_refused(drawn, tmp_path):
    attached(drawn, tmp_path / 'c', split=['train', 'val'])
    turned = attached(drawn, tmp_path / 'c', split=['val', 'train'])
    before, now = (
        Path(turned.get_data_info(i)['img_path']).relative_to(drawn).as_posix()
        for i in (8, 0)
    )
    with pytest.raises(StaleFeaturesError) as error:
        turned[0]
    assert str(error.value) == (
        f"{tmp_path / 'c'}: row 0 was made from the image '{before}', but the "
        f"data set now has '{now}' there; {REMEDY}"
    )


def test_a_skipped_image_takes_the_row_of_the_next_with_it(
    own_drawn, tmp_path
):
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
