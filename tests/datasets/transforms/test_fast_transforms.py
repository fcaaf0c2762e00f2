"""The fast transforms give the pixels of those that they replace."""

import numpy as np
import pytest
from mmpretrain.registry import TRANSFORMS
from PIL import Image

BICUBIC = dict(interpolation='bicubic')


def photo(height=90, width=130, seed=0):
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 13, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height)), np.int16)
    grain = rng.integers(-20, 21, smooth.shape)
    return (smooth + grain).clip(0, 255).astype(np.uint8)


def both(kind, image, **options):
    """Outputs of a transform and its fast twin from the same results."""
    found = []
    for name in (kind, f'Fast{kind}'):
        np.random.seed(3)
        given = dict(img=image, img_shape=image.shape[:2])
        found.append(TRANSFORMS.build(dict(type=name, **options))(given))
    return found


def assert_same(theirs, ours):
    np.testing.assert_array_equal(ours.pop('img'), theirs.pop('img'))
    assert ours == theirs


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
@pytest.mark.parametrize('keep_ratio', [False, True])
@pytest.mark.parametrize('part', [np.s_[:], np.s_[7:80, 11:40]])
def test_resize(backend, keep_ratio, part):
    options = dict(scale=(48, 32), keep_ratio=keep_ratio, backend=backend)
    assert_same(*both('Resize', photo()[part], **options, **BICUBIC))


def test_resize_by_a_factor():
    assert_same(*both('Resize', photo(), scale_factor=0.5, backend='pillow'))


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_random_resized_crop(backend):
    options = dict(scale=40, crop_ratio_range=(0.2, 1.0), backend=backend)
    for seed in range(5):
        image = photo(seed=seed)
        pair = both('RandomResizedCrop', image, **options, **BICUBIC)
        assert pair[1]['img_shape'] == (40, 40, 3)
        assert_same(*pair)


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('scale', [(48, 32), (200, 150), (64, 180)])
def test_torch_is_within_one_level_of_pillow(interpolation, scale):
    options = dict(scale=scale, interpolation=interpolation)
    found = [
        TRANSFORMS.build(dict(type='FastResize', backend=b, **options))(
            dict(img=photo()[5:, 9:])
        )['img'].astype(int)
        for b in ('pillow', 'torch')
    ]
    assert found[1].shape == (*scale[::-1], 3)
    difference = np.abs(found[0] - found[1])
    assert difference.max() <= 1
    assert difference.mean() < 0.02


def test_torch_draws_the_same_crops():
    options = dict(scale=40, crop_ratio_range=(0.2, 1.0), **BICUBIC)
    found = []
    for backend in ('pillow', 'torch'):
        crop = TRANSFORMS.build(
            dict(type='FastRandomResizedCrop', backend=backend, **options)
        )
        np.random.seed(0)
        views = [crop(dict(img=photo()))['img'] for _ in range(5)]
        found.append(np.stack(views).astype(int))
    assert np.abs(found[0] - found[1]).max() <= 1
    assert np.ptp(found[1], axis=0).max() > 50  # five different ones


@pytest.mark.parametrize('kind', ['FastResize', 'FastRandomResizedCrop'])
def test_refuses_what_it_cannot_do(kind):
    with pytest.raises(ValueError, match=r"'torch'.*but is 'jax'"):
        TRANSFORMS.build(dict(type=kind, scale=40, backend='jax'))
    lanczos = dict(backend='torch', interpolation='lanczos')
    with pytest.raises(ValueError, match=r"'torch'.*'bicubic'.*'lanczos'"):
        TRANSFORMS.build(dict(type=kind, scale=40, **lanczos))
