from itertools import combinations

import numpy as np
import pytest

from uniemox_mm.preparation.split_choice import (
    ColorPlane,
    disagreement,
    project,
)


def components(histograms):
    """Principal components by the eigenvectors of the covariance."""
    centered = np.float64(histograms) - np.float64(histograms).mean(axis=0)
    values, vectors = np.linalg.eigh(centered.T @ centered)
    largest = values.argsort()[::-1][:2]
    return centered @ vectors[:, largest], values[largest] / values.sum()


def distance(first, second):
    """The area between two distribution functions."""
    values = np.sort(np.concatenate([first, second]))
    at = (values[:-1] + values[1:]) / 2
    functions = [
        (part[:, None] <= at).mean(axis=0) for part in (first, second)
    ]
    return np.abs(functions[0] - functions[1]) @ np.diff(values)


def criterion(histograms, parts):
    """The disagreement, computed in another way."""
    points, explained = components(histograms)
    total = 0.0
    for first, second in combinations(parts, 2):
        for c in range(2):
            apart = distance(points[first, c], points[second, c])
            total += explained[c] * apart / points[:, c].std()
    return total / 3 / explained.sum()


@pytest.fixture
def histograms():
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.full(768, 0.1), 60).astype(np.float32)


def test_the_plane_is_that_of_the_largest_variance(histograms):
    plane = project(histograms)
    points, explained = components(histograms)
    signs = np.sign((plane.points * points).sum(axis=0))
    np.testing.assert_allclose(plane.points * signs, points, atol=1e-5)
    np.testing.assert_allclose(plane.explained, explained, rtol=1e-4)


def test_disagreement_equals_another_computation(histograms):
    plane = project(histograms)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60).tolist()
        parts = dict(train=order[:41], val=order[41:48], test=order[48:])
        assert disagreement(plane, parts) == pytest.approx(
            criterion(histograms, list(parts.values())), abs=1e-5
        )


def test_hand_computed_values():
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


def test_images_that_are_all_the_same_agree():
    plane = project(np.full((9, 768), 1 / 256, np.float32))
    parts = dict(train=[0, 1, 2, 3, 4], val=[5, 6], test=[7, 8])
    assert disagreement(plane, parts) == 0
