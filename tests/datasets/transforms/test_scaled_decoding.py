"""JPEGs that are decoded smaller: sizes, boxes, and what is in them."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from uniemox_mm.datasets import LoadEmotionImage, PersonCrop
from uniemox_mm.datasets.decoding import decoding_scale, to_bgr

# Planted: a green box on red, in pixels of the upright original.
BOX = (96, 64, 224, 288)
SIZE = (416, 352)  # width, height
ORIENTATION = 0x0112


def write(path, orientation=1, size=SIZE, **options):
    """An image that looks the same upright, however it is stored."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    inside = (BOX[0] <= x) & (x < BOX[2]) & (BOX[1] <= y) & (y < BOX[3])
    pixels = np.where(inside[..., None], (20, 200, 40), (210, 30, 50))
    # Something to see the difference between left and right by.
    pixels[..., 2] = 40 + 150 * x // size[0]
    upright = Image.fromarray(pixels.astype(np.uint8))
    # Undoing a turn is turning by the orientation that is its inverse.
    exif = Image.Exif()
    exif[ORIENTATION] = {6: 8, 8: 6}.get(orientation, orientation)
    upright.info['exif'] = exif.tobytes()
    upright.getexif()[ORIENTATION] = exif[ORIENTATION]
    stored = ImageOps.exif_transpose(upright)
    exif[ORIENTATION] = orientation
    stored.save(path, exif=exif, **options)
    return path


def load(path, short_side=None, persons=()):
    results = dict(img_path=str(path), persons=list(persons))
    return LoadEmotionImage(decode_short_side=short_side)(results)


@pytest.mark.parametrize(
    ('sides', 'short_side', 'scale'),
    [
        ((1024, 683), None, 1),
        ((1024, 683), 320, 2),
        ((683, 1024), 320, 2),
        ((1024, 683), 342, 2),  # 341.5, rounded up
        ((1024, 683), 343, 1),
        ((4096, 2731), 320, 8),
        ((4096, 2560), 320, 8),
        ((4096, 2552), 320, 4),
        ((300, 200), 320, 1),
        ((320, 320), 320, 1),
        ((5, 3), 1, 2),
        ((1, 1), 1, 1),
    ],
)
def test_the_smallest_that_keeps_the_short_side(sides, short_side, scale):
    assert decoding_scale(*sides, short_side) == scale


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('size', [SIZE, (417, 353)])
@pytest.mark.parametrize('short_side', [None, 352, 170, 80, 40])
def test_ori_shape_stays(tmp_path, orientation, size, short_side):
    path = write(tmp_path / 'a.jpg', orientation, size)
    scale = {None: 1, 352: 1, 170: 2, 80: 4, 40: 8}[short_side]
    results = load(path, short_side)
    assert results['ori_shape'] == size[::-1]
    assert results['decode_scale'] == scale
    decoded = tuple(-(-side // scale) for side in size[::-1])
    assert results['img_shape'] == decoded
    assert results['img'].shape == (*decoded, 3)


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
@pytest.mark.parametrize('scale', [1, 2, 4, 8])
def test_the_planted_box_is_cut_out(tmp_path, orientation, scale):
    path = write(tmp_path / 'a.jpg', orientation, quality=95, subsampling=0)
    results = load(path, SIZE[1] // scale, [[*BOX, 0.9]])
    assert results['decode_scale'] == scale
    crop = PersonCrop()(results)
    assert crop['person_box'] == BOX
    height, width = BOX[3] - BOX[1], BOX[2] - BOX[0]
    assert crop['img_shape'] == (height // scale, width // scale)
    _, green, red = np.moveaxis(crop['img'].astype(int), -1, 0)
    assert (abs(green - 200) < 40).all()
    assert (abs(red - 20) < 40).all()
    # One more pixel on each side is red, so that the box is all there is.
    around = PersonCrop(margin=0.0)
    grown = [BOX[0] - 8, BOX[1] - 8, BOX[2] + 8, BOX[3] + 8, 0.9]
    results = load(path, SIZE[1] // scale, [grown])
    image = around(results)['img'].astype(int)
    edges = (image[0], image[-1], image[:, 0], image[:, -1])
    assert all((edge[:, 2] > 150).all() for edge in edges)


@pytest.mark.parametrize('orientation', [1, 6])
@pytest.mark.parametrize('scale', [2, 4, 8])
def test_crop_is_the_full_one_made_smaller(tmp_path, orientation, scale):
    path = write(tmp_path / 'a.jpg', orientation, quality=95, subsampling=0)
    box = [90, 50, 250, 300, 1.0]
    small = PersonCrop()(load(path, SIZE[1] // scale, [box]))['img']
    whole = load(path)['img'].astype(float)
    x1, y1 = box[0] // scale * scale, box[1] // scale * scale
    x2, y2 = -(-box[2] // scale) * scale, -(-box[3] // scale) * scale
    part = whole[y1:y2, x1:x2]
    rows, columns = (y2 - y1) // scale, (x2 - x1) // scale
    means = part.reshape(rows, scale, columns, scale, 3).mean((1, 3))
    assert small.shape == means.shape
    # Frequencies are left out, which is not quite a mean at the edges.
    assert np.abs(small - means).mean() < 1.5
    shifted = np.abs(small[:, 1:] - means[:, :-1]).mean()
    assert shifted > 1.2 * np.abs(small - means).mean()


@pytest.mark.parametrize(
    ('name', 'short_side'), [('a.png', 40), ('a.jpg', 1000)]
)
def test_other_formats_and_small_images_stay(tmp_path, name, short_side):
    path = write(tmp_path / name)
    results = load(path, short_side)
    assert results['decode_scale'] == 1
    np.testing.assert_array_equal(results['img'], load(path)['img'])


def test_the_size_of_the_original_counts_for_min_size(tmp_path):
    path = write(tmp_path / 'a.jpg')
    loader = LoadEmotionImage(min_size=300, decode_short_side=40)
    assert loader(dict(img_path=str(path)))['img_shape'] == (44, 52)


def test_resized_by_another_transform(tmp_path):
    results = load(write(tmp_path / 'a.jpg'), 170, [[*BOX, 0.9]])
    results['img'] = results['img'][:100]
    with pytest.raises(
        ValueError, match=r'a\.jpg: .*\(352, 416\).*1/2.*\(100, 208\)'
    ):
        PersonCrop()(results)


def test_no_pixels_to_keep():
    with pytest.raises(ValueError, match=r'decode_short_side .* is 0'):
        LoadEmotionImage(decode_short_side=0)


@pytest.mark.parametrize('orientation', [None, *range(10)])
@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK'])
def test_pixels_are_those_of_pillow(tmp_path, mode, orientation):
    """Skipped copies change nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    exif = Image.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    path = tmp_path / 'a.jpg'
    Image.fromarray(pixels).convert(mode).save(path, exif=exif)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert('RGB')
        expected = np.asarray(upright)[..., ::-1]
        np.testing.assert_array_equal(to_bgr(image), expected)
    found = load(path)['img']
    np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous
    assert found.flags.writeable
