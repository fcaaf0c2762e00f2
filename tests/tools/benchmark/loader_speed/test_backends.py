import sys
from pathlib import Path

import numpy as np
import pytest
from loader_speed import backends
from loader_speed.backends import LOADERS, CV2Loading, missing
from PIL import Image

from uniemox_mm.datasets import LoadEmotionImage


def image_of(forms, number=0):
    return str(sorted(Path(forms[0].data_root).rglob('*.jpg'))[number])


@pytest.mark.parametrize('short_side', [None, 300, 150])
@pytest.mark.parametrize('backend', list(LOADERS))
def test_all_decode_the_same_image(forms, backend, short_side):
    if why := missing(backend):
        pytest.skip(why)
    found, expected = (
        loader(decode_short_side=short_side)(dict(img_path=image_of(forms, 1)))
        for loader in (LOADERS[backend], LoadEmotionImage)
    )
    ours, theirs = found.pop('img'), expected.pop('img')
    assert found == expected
    # Other versions of the library round differently.
    assert np.abs(ours.astype(int) - theirs).mean() < 1


@pytest.mark.parametrize('kind', ['turned', 'gray', 'png'])
def test_what_is_no_plain_jpeg_is_left_to_pillow(forms, tmp_path, kind):
    path = tmp_path / ('a.png' if kind == 'png' else 'a.jpg')
    exif = Image.Exif()
    exif[0x0112] = 6 if kind == 'turned' else 1
    with Image.open(image_of(forms)) as image:
        mode = 'L' if kind == 'gray' else 'RGB'
        image.convert(mode).save(path, exif=exif)

    class Refusing(CV2Loading):
        def decode_jpeg(self, content, scale):
            raise AssertionError

    found = Refusing()(dict(img_path=str(path)))
    expected = LoadEmotionImage()(dict(img_path=str(path)))
    np.testing.assert_array_equal(found['img'], expected['img'])


def test_what_is_missing_is_named(monkeypatch):
    assert missing('pillow') == missing('cv2') == ''
    monkeypatch.setitem(sys.modules, 'turbojpeg', None)
    assert missing('turbojpeg') == 'PyTurboJPEG is not installed'

    class NoLibrary(LoadEmotionImage):
        def __init__(self):
            raise RuntimeError('Unable to locate it\nand more')

    monkeypatch.setitem(backends.LOADERS, 'turbojpeg', NoLibrary)
    assert missing('turbojpeg') == 'Unable to locate it'
