import numpy as np
import pytest
from PIL import Image

from uniemox_mm.datasets import BadSampleError, LoadEmotionImage


def load(path, **options):
    return LoadEmotionImage(**options)(dict(img_path=str(path)))


@pytest.fixture
def photo():
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8))
    return coarse.resize((80, 60), Image.Resampling.BICUBIC)


def test_rgb_becomes_bgr(tmp_path, photo):
    photo.save(tmp_path / 'a.png')
    results = load(tmp_path / 'a.png')
    np.testing.assert_array_equal(
        results['img'][:, :, ::-1], np.asarray(photo)
    )
    assert results['ori_shape'] == results['img_shape'] == (60, 80)


@pytest.mark.parametrize('mode', ['P', 'L', 'CMYK', 'RGBA', 'LA', '1'])
def test_every_mode_becomes_color(tmp_path, photo, mode):
    path = tmp_path / ('a.jpg' if mode == 'CMYK' else 'a.png')
    options = dict(quality=100, subsampling=0) if mode == 'CMYK' else {}
    photo.convert(mode).save(path, **options)
    found = load(path)['img'][:, :, ::-1].astype(float)
    assert found.shape == (60, 80, 3)
    expected = np.asarray(photo.convert(mode).convert('RGB'), float)
    # JPEG loses a little; the rest is exact.
    limit = 3 if mode == 'CMYK' else 0
    assert np.abs(found - expected).mean() <= limit


def test_upright_by_exif(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    photo.save(tmp_path / 'a.jpg', exif=exif)
    assert load(tmp_path / 'a.jpg')['ori_shape'] == (80, 60)


@pytest.mark.parametrize(
    ('change', 'cause'),
    [
        (lambda content: content[:-400], 'file is truncated'),
        (lambda content: b'', 'empty'),
        (lambda content: b'I am a text', 'not an image'),
        (None, 'no such image'),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, photo, change, cause):
    path = tmp_path / 'a.jpg'
    if change:
        photo.save(path, quality=95)
        path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BadSampleError, match=f'{path}: .*{cause}'):
        load(path)


def test_one_pixel_is_too_small(tmp_path):
    path = tmp_path / 'dot.png'
    Image.new('RGB', (1, 1)).save(path)
    with pytest.raises(BadSampleError, match=f'{path}.* 1 x 1 .*least 16'):
        load(path)
    assert load(path, min_size=1)['img'].shape == (1, 1, 3)
