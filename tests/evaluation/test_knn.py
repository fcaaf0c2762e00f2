"""k-NN against a loop in NumPy."""

import numpy as np
import pytest

from uniemox_mm.evaluation.knn import predict_knn


def by_hand(train, labels, features, k, temperature):
    predictions = []
    for feature in features:
        similarity = (
            train
            @ feature
            / (np.linalg.norm(train, axis=1) * np.linalg.norm(feature))
        )
        nearest = np.argsort(-similarity)[:k]
        votes = np.zeros(labels.max() + 1)
        for i in nearest:
            votes[labels[i]] += np.exp(similarity[i] / temperature)
        predictions.append(votes.argmax())
    return np.array(predictions)


@pytest.mark.parametrize('temperature', [0.07, 1.0])
def test_votes(temperature):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 60)
    train = rng.normal(size=(60, 8)) * rng.uniform(1, 9, (60, 1))
    features = rng.normal(size=(40, 8))
    ks = [1, 3, 20, 60]
    found = predict_knn(train, labels, features, ks, temperature)
    assert list(found) == ks
    for k in ks:
        expected = by_hand(train, labels, features, k, temperature)
        assert (found[k] == expected).all()
    assert len({tuple(p) for p in found.values()}) > 2  # k matters here


@pytest.mark.parametrize('k', [0, 4])
def test_a_k_that_cannot_be(k):
    with pytest.raises(ValueError, match=f'k is {k}, but there are 3 train'):
        predict_knn(np.eye(3), np.arange(3), np.eye(3), [1, k])
