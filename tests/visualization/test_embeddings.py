"""The points are the features, the colors the classes."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from drawn_emoset import draw_class_folders
from matplotlib.colors import to_rgba
from mmengine.runner import Runner
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances

from tests.apis.classifiers import load_model as load_by_torch
from tests.apis.classifiers import write_work_dir
from tests.helpers import EMO_MAE, build
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.evaluation.features import extract_features
from uniemox_mm.visualization import embeddings
from uniemox_mm.visualization.embeddings import (
    Embedding,
    draw_embeddings,
    embed_split,
    reduction,
)


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('embeddings')
    data = draw_class_folders(folder / 'emo8', per_class=20, size=40)
    return write_work_dir(folder / 'ft', data)


def model_of(work_dir):
    model = load_model(work_dir, part='backbone')
    loader = model._config.test_dataloader
    loader.num_workers, loader.persistent_workers = 0, False
    return model


def features_of(work_dir, split='test'):
    loader = model_of(work_dir)._config.test_dataloader
    loader.dataset.split = split
    loader = Runner.build_dataloader(loader)
    return extract_features(load_by_torch(work_dir), loader)


def silhouette(features, labels):
    """Its definition, image by image."""
    distances = pairwise_distances(features.astype(np.float64))
    scores = []
    for i, label in enumerate(labels):
        own = (labels == label) & (np.arange(len(labels)) != i)
        inner = distances[i, own].mean()
        outer = min(
            distances[i, labels == other].mean()
            for other in set(labels) - {label}
        )
        scores.append((outer - inner) / max(outer, inner))
    return np.mean(scores)


def test_tsne_gets_the_features_of_extract_features(work_dir, monkeypatch):
    given = []

    class Spy(TSNE):
        def fit_transform(self, features):
            given.append((features, self.perplexity, self.random_state))
            return super().fit_transform(features)

    monkeypatch.setattr(embeddings, 'TSNE', Spy)
    found = embed_split(model_of(work_dir), seed=3)
    features, labels = features_of(work_dir)
    ((seen, perplexity, seed),) = given
    np.testing.assert_allclose(seen, features, atol=1e-6)
    assert found.labels.tolist() == labels.tolist()
    assert found.points.shape == (len(labels), 2) == (16, 2)
    assert perplexity == 5 and seed == 3
    expected = silhouette(features, labels)
    assert found.silhouette == pytest.approx(expected, abs=1e-5)
    again = embed_split(model_of(work_dir), seed=3)
    np.testing.assert_array_equal(found.points, again.points)


def test_some_images_of_a_split_are_chosen_by_the_seed(work_dir):
    found = embed_split(model_of(work_dir), 'train', limit=30, perplexity=7)
    _, labels = features_of(work_dir, 'train')
    rows = np.random.default_rng(0).choice(len(labels), 30, replace=False)
    assert found.labels.tolist() == labels[np.sort(rows)].tolist()


def test_umap_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, 'umap', None)
    with pytest.raises(ImportError, match='pip install umap-learn, or '):
        reduction('umap', 0)
    with pytest.raises(ValueError, match="pca: expected 'tsne' or 'umap'"):
        reduction('pca', 0)
    few = np.zeros((5, 3), np.float32)
    with pytest.raises(ValueError, match='perplexity of 9 needs more than 5'):
        reduction('tsne', 0, 9)(few)


def test_umap_gets_features_and_seed(monkeypatch):
    """Its own code takes ten seconds to compile."""

    class Stub:
        def __init__(self, random_state, n_jobs):
            self.seed = random_state

        def fit_transform(self, features):
            return features[:, :2] + self.seed

    monkeypatch.setitem(sys.modules, 'umap', SimpleNamespace(UMAP=Stub))
    features = np.arange(12.0).reshape(3, 4)
    found = reduction('umap', 7)(features)
    np.testing.assert_array_equal(found, features[:, :2] + 7)


def test_models_without_classes_are_refused(work_dir):
    model = build(EMO_MAE)
    model._config = model_of(work_dir)._config
    with pytest.raises(ValueError, match=r'EmoMAE has no classes'):
        embed_split(model)


def test_colors_are_by_class():
    points = np.arange(12.0).reshape(6, 2)
    labels = np.array([2, 0, 1, 1, 0, 2])
    classes = ('joy', 'fear', 'awe')
    found = Embedding(points, labels, classes, 'FI', 0.25)
    figure = draw_embeddings(dict(a=found, b=found), 'UMAP', 'val')
    assert figure.get_suptitle() == 'UMAP of 6 images, FI val'
    shown = {
        entry.get_text(): to_rgba(handle.get_color())
        for entry, handle in zip(
            figure.legends[0].get_texts(),
            figure.legends[0].legend_handles,
            strict=True,
        )
    }
    assert list(shown) == list(classes)
    assert len(set(shown.values())) == 3
    for axis, name in zip(figure.axes, 'ab', strict=True):
        assert axis.get_title() == f'{name}, silhouette 0.250'
        (dots,) = axis.collections
        for place, color in zip(
            dots.get_offsets(), dots.get_facecolors(), strict=True
        ):
            label = labels[int(place[0]) // 2]
            assert tuple(color[:3]) == shown[classes[label]][:3]
    other = Embedding(points, labels, ('x', 'y', 'z'), 'FI', 0.0)
    with pytest.raises(ValueError, match='embedded with different classes'):
        draw_embeddings(dict(a=found, b=other), '', '')
    single = Embedding(points, labels, classes, 'FI', float('nan'))
    (axis,) = draw_embeddings(dict(a=single), 't-SNE', 'val').axes
    assert axis.get_title() == 'a'
