import numpy as np
import pytest
from PIL import Image

from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.center_crops import center_crops, spread_paths


class Listed:
    def __len__(self):
        return 11

    def get_data_info(self, index):
        assert isinstance(index, int)
        return dict(img_path=f'{index}.jpg')


def test_images_are_center_crops(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    (found,) = center_crops([tmp_path / 'a.png'], 32)
    expected = pixels[:, 8:40, ::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_an_image_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSampleError, match=r'gone\.png: no such image'):
        center_crops([tmp_path / 'gone.png'], 32)


def test_paths_are_spread_over_the_dataset():
    assert spread_paths(Listed(), 3) == ['0.jpg', '5.jpg', '10.jpg']
    assert spread_paths(Listed(), 99) == [f'{i}.jpg' for i in range(11)]
