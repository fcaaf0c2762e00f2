import numpy as np
import pytest

from uniemox_mm.preparation.color_histograms import count_colors, to_histogram


def image(height, width):
    rng = np.random.default_rng(height)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def test_red_comes_first():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = 10, 20, 30  # blue, green, red
    counts = count_colors(pixels)
    assert counts.shape == (3, 256)
    assert counts[:, 0].tolist() == [5, 5, 5]
    assert [counts[0, 30], counts[1, 20], counts[2, 10]] == [1, 1, 1]
    assert counts.sum() == 18


@pytest.mark.parametrize('size', [(1, 1), (48, 64), (256, 256), (1, 65536)])
def test_every_pixel_of_small_images_counts(size):
    pixels = image(*size)
    expected = [
        np.histogram(pixels[..., c], 256, (0, 256))[0] for c in (2, 1, 0)
    ]
    np.testing.assert_array_equal(count_colors(pixels), expected)


@pytest.mark.parametrize('size', [(257, 256), (900, 700), (3, 80000)])
def test_large_images_are_looked_at_on_a_grid(size):
    pixels = image(*size)
    counted = count_colors(pixels)
    (number,) = set(counted.sum(axis=1).tolist())
    assert 65536 / 5 < number <= 65536
    shares = (
        np.histogram(pixels[..., 0], 256, (0, 256))[0] / pixels[..., 0].size
    )
    assert np.abs(counted[2] / number - shares).max() < 0.004


def test_histograms_do_not_know_the_size():
    small = image(20, 30)
    large = np.tile(small, (3, 2, 1))
    histogram = to_histogram(count_colors(small))
    np.testing.assert_allclose(histogram, to_histogram(count_colors(large)))
    np.testing.assert_allclose(histogram.reshape(3, 256).sum(axis=1), 1)
