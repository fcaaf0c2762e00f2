"""The criterion of Emo8's split, derived with NumPy alone."""

from itertools import combinations

import numpy as np


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
