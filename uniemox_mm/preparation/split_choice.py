"""Which of several splits has parts that agree best in their colors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import wasserstein_distance
from sklearn.decomposition import PCA

_COMPONENTS = 2
_NOTHING = 1e-12  # a spread that is only rounding


@dataclass(frozen=True)
class ColorPlane:
    """Images as points, by their colors.

    Attributes:
        points (np.ndarray): (N, 2) principal components.
        explained (np.ndarray): (2,) share of the variance that each has.
    """

    points: np.ndarray
    explained: np.ndarray


def project(histograms: np.ndarray) -> ColorPlane:
    """Reduces color histograms to two principal components.

    Args:
        histograms (np.ndarray): (N, 768), one row an image, N >= 2.

    Returns:
        ColorPlane: The images in the given order.
    """
    # The other solvers choose by size, and one of them at random.
    pca = PCA(_COMPONENTS, svd_solver='full')
    with np.errstate(invalid='ignore'):  # 0 / 0 where all are the same
        # In float64, so that other numbers of threads change nothing.
        points = pca.fit_transform(np.float64(histograms))
    return ColorPlane(points, np.nan_to_num(pca.explained_variance_ratio_))


def disagreement(
    plane: ColorPlane, parts: Mapping[str, Sequence[int]]
) -> float:
    """How far the parts of a split are apart in their colors.

    With W the distance of Wasserstein between the values of component c in
    two parts, s_c the standard deviation of c over all images, and w_c the
    share of the variance that c explains,

        mean over the pairs of parts of sum_c w_c W / s_c / sum_c w_c

    which is 0 for equal distributions, and 1 for such that are one standard
    deviation apart.

    Args:
        plane (ColorPlane): Where the images are.
        parts (Mapping[str, Sequence[int]]): Split -> rows of its images, at
            least one.

    Returns:
        float: The mean, 0 or more.
    """
    spread = plane.points.std(axis=0)
    distances = []
    for first, second in combinations(parts.values(), 2):
        apart = [
            wasserstein_distance(
                plane.points[list(first), c], plane.points[list(second), c]
            )
            for c in range(_COMPONENTS)
        ]
        distances.append(apart / np.where(spread > _NOTHING, spread, 1))
    weights = plane.explained
    weights = weights / max(weights.sum(), _NOTHING)
    # Two runs must not choose otherwise because of the last bits.
    return round(float(np.mean(distances, axis=0) @ weights), 9)
