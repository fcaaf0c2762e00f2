"""The numbers of a classifier against an independent derivation."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from mmpretrain.evaluation import Accuracy, SingleLabelMetric
from PIL import Image

from uniemox_mm.evaluation.classification_report import (
    evaluate,
    write_predictions,
    write_report,
)

CLASSES = ['anger', 'awe', 'fear', 'joy', 'sadness']


def by_hand(labels, predictions, k):
    """Confusion matrix, then everything from it, in float64."""
    confusion = np.zeros((k, k))
    for true, predicted in zip(labels, predictions, strict=True):
        confusion[true, predicted] += 1
    hits = np.diag(confusion)
    with np.errstate(invalid='ignore'):
        precision = np.nan_to_num(hits / confusion.sum(0))
        recall = np.nan_to_num(hits / confusion.sum(1))
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
    support = confusion.sum(1)
    return dict(
        top1=100 * hits.sum() / len(labels),
        macro_f1=100 * f1.mean(),
        weighted_f1=100 * (f1 * support).sum() / support.sum(),
        precision=100 * precision,
        recall=100 * recall,
        f1=100 * f1,
        support=support,
        confusion=confusion,
    )


def random_predictions(seed, count=203, k=5, absent=()):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, count)
    scores = rng.dirichlet(np.ones(k), count)
    for label in absent:
        labels[labels == label] = (label + 1) % k
        scores[:, label] = 0
    return labels, scores


@pytest.mark.parametrize('absent', [(), (3,)])
@pytest.mark.parametrize('seed', range(5))
def test_numbers_by_hand(seed, absent):
    labels, scores = random_predictions(seed, absent=absent)
    predictions = scores.argmax(1)
    report = evaluate(labels, predictions, CLASSES)
    for name, value in by_hand(labels, predictions, 5).items():
        np.testing.assert_allclose(getattr(report, name), value, rtol=1e-12)
    assert report.count == 203 and report.classes == CLASSES


@pytest.mark.parametrize('seed', range(3))
def test_numbers_of_mmpretrain(seed):
    """Those that training logs and chooses the best epoch by."""
    labels, scores = random_predictions(seed)
    report = evaluate(labels, scores.argmax(1), CLASSES)
    target, pred = torch.from_numpy(labels), torch.from_numpy(scores)
    top1 = Accuracy.calculate(pred, target)[0][0].item()
    assert report.top1 == pytest.approx(top1, abs=1e-4)
    _, _, f1, _ = SingleLabelMetric.calculate(
        pred.argmax(1), target, num_classes=5
    )
    assert report.macro_f1 == pytest.approx(f1.item(), abs=1e-4)


def test_nothing_to_evaluate():
    with pytest.raises(ValueError, match='there are no predictions'):
        evaluate([], [], CLASSES)


def test_markdown_has_the_numbers():
    report = evaluate([0, 0, 1, 1], [0, 1, 1, 1], ['no', 'yes'])
    text = report.markdown('Test')
    rows = [re.findall(r'[^|\s]+', line) for line in text.splitlines()]
    assert ['4', '75.00', '73.33', '73.33'] in rows
    assert ['no', '100.00', '50.00', '66.67', '2'] in rows
    assert ['yes', '66.67', '100.00', '80.00', '2'] in rows


def test_files(tmp_path):
    labels, scores = random_predictions(0)
    report = evaluate(labels, scores.argmax(1), CLASSES)
    names = [f'{i}.jpg' for i in range(len(labels))]
    write_predictions(tmp_path / 'p.csv', names, labels, scores, CLASSES)
    write_report(tmp_path, report, 'FI, test', split='test')
    stored = json.loads((tmp_path / 'metrics.json').read_text())
    assert stored['top1'] == report.top1 and stored['images'] == 203
    assert stored['confusion'] == report.confusion
    assert stored['split'] == 'test'
    with (tmp_path / 'p.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['image'] for row in rows] == names
    right = [row['label'] == row['prediction'] for row in rows]
    assert 100 * np.mean(right) == pytest.approx(report.top1)
    read = np.array([[float(row[c]) for c in CLASSES] for row in rows])
    np.testing.assert_allclose(read, scores, atol=1e-6)
    with Image.open(tmp_path / 'confusion_matrix.png') as picture:
        assert picture.format == 'PNG' and min(picture.size) > 500
