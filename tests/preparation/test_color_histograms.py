import numpy as np
import pytest

from tests.preparation.split_criterion import components, criterion
from uniemox_mm.preparation.color_histograms import (
    ColorPlane,
    count_colors,
    disagreement,
    project,
    to_histogram,
)


def image(height, width):
    rng = np.random.default_rng(height)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def test_channels_are_red_green_blue():
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
def test_large_images_are_sampled_on_a_grid(size):
    pixels = image(*size)
    counted = count_colors(pixels)
    (number,) = set(counted.sum(axis=1).tolist())
    assert 65536 / 5 < number <= 65536
    expected = (
        np.histogram(pixels[..., 0], 256, (0, 256))[0] / pixels[..., 0].size
    )
    assert np.abs(counted[2] / number - expected).max() < 0.004


def test_histograms_are_independent_of_the_size():
    small = image(20, 30)
    large = np.tile(small, (3, 2, 1))
    histogram = to_histogram(count_colors(small))
    np.testing.assert_allclose(histogram, to_histogram(count_colors(large)))
    np.testing.assert_allclose(histogram.reshape(3, 256).sum(axis=1), 1)


@pytest.fixture
def histograms():
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.full(768, 0.1), 60).astype(np.float32)


def test_plane_has_the_largest_variance(histograms):
    plane = project(histograms)
    points, explained = components(histograms)
    signs = np.sign((plane.points * points).sum(axis=0))
    np.testing.assert_allclose(plane.points * signs, points, atol=1e-5)
    np.testing.assert_allclose(plane.explained, explained, rtol=1e-4)


def test_disagreement_equals_numpy(histograms):
    plane = project(histograms)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60).tolist()
        parts = dict(train=order[:41], val=order[41:48], test=order[48:])
        assert disagreement(plane, parts) == pytest.approx(
            criterion(histograms, list(parts.values())), abs=1e-5
        )


def test_disagreement_by_hand():
    same = np.tile(np.arange(4.0), 3)
    plane = ColorPlane(np.stack([same, -same], 1), np.array([0.4, 0.1]))
    parts = dict(train=range(4), val=range(4, 8), test=range(8, 12))
    assert disagreement(plane, parts) == 0
    # In component 2 test is 3 away from the others, in units of its spread.
    points = plane.points.copy()
    points[8:, 1] += 3
    moved = ColorPlane(points, plane.explained)
    expected = 0.1 / 0.5 * (0 + 3 + 3) / 3 / points[:, 1].std()
    assert disagreement(moved, parts) == pytest.approx(expected, abs=1e-8)


def test_equal_images_agree():
    plane = project(np.full((9, 768), 1 / 256, np.float32))
    parts = dict(train=[0, 1, 2, 3, 4], val=[5, 6], test=[7, 8])
    assert disagreement(plane, parts) == 0
