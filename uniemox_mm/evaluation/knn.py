"""k-NN classification of features, by scikit-learn."""

from collections.abc import Sequence

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize


def predict_knn(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    features: np.ndarray,
    ks: Sequence[int],
    temperature: float = 0.07,
) -> dict[int, np.ndarray]:
    r"""Lets the k nearest training images vote on each image.

    As in DINO (and Wu et al., 2018): features of unit length, the vote of a
    neighbour at cosine similarity s weighs :math:`\exp(s / \tau)`.

    Args:
        train_features (np.ndarray): (M, C).
        train_labels (np.ndarray): (M,).
        features (np.ndarray): (N, C).
        ks (Sequence[int]): Numbers of neighbours, each at most M.
        temperature (float): tau. Defaults to 0.07.

    Returns:
        dict[int, np.ndarray]: k -> predicted classes, (N,).

    Raises:
        ValueError: A k is not in [1, M].
    """
    count = len(train_features)
    wrong = [k for k in ks if not 1 <= k <= count]
    if wrong:
        raise ValueError(
            f'k is {wrong[0]}, but there are {count} training images; '
            f'expected 1 to {count}'
        )

    def votes(distances: np.ndarray) -> np.ndarray:
        # Of unit vectors d^2 = 2 - 2 s, so exp(s / tau) up to a factor.
        return np.exp(-(distances**2) / 2 / temperature)

    train_unit, unit = normalize(train_features), normalize(features)
    predictions = {}
    for k in ks:
        model = KNeighborsClassifier(k, weights=votes, algorithm='brute')
        model.fit(train_unit, train_labels)
        predictions[k] = model.predict(unit)
    return predictions
