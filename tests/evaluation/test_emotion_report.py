"""The metric in one process and in two."""

import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample

from tests.helpers import run_distributed
from uniemox_mm.evaluation import EmotionReport

COUNT, CLASSES = 23, ('a', 'b', 'c')


def sample(index):
    rng = np.random.default_rng(index)
    scores = torch.from_numpy(rng.dirichlet(np.ones(3)))
    out = DataSample().set_gt_label(int(rng.integers(3)))
    out.set_pred_score(scores)
    out.set_metainfo(dict(img_path=f'{index}.jpg'))
    return out


def measure(indices, out_dir=None):
    evaluator = Evaluator(EmotionReport(out_dir=out_dir, title='t'))
    evaluator.dataset_meta = dict(classes=CLASSES)
    for i in range(0, len(indices), 4):
        evaluator.process([sample(n) for n in indices[i : i + 4]])
    return evaluator.evaluate(COUNT)


def halves(rank, world, folder):
    # As MMEngine's sampler deals them out: padded to equal lengths.
    indices = [i % COUNT for i in range(COUNT + COUNT % world)]
    result = measure(indices[rank::world], f'{folder}/two')
    (folder / f'{rank}.json').write_text(json.dumps(result))


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path):
    """23 samples, so that one of the processes sees a sample again."""
    alone = measure(list(range(COUNT)), f'{tmp_path}/one')
    run_distributed(2, halves, tmp_path)
    for rank in (0, 1):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == alone
    for name in ('metrics.json', 'predictions.csv', 'report.md'):
        one = (tmp_path / 'one' / name).read_text()
        assert (tmp_path / 'two' / name).read_text() == one


def test_numbers():
    labels = [int(sample(i).gt_label) for i in range(COUNT)]
    hits = [
        int(sample(i).pred_score.argmax()) == label
        for i, label in enumerate(labels)
    ]
    result = measure(list(range(COUNT)))
    assert list(result) == [
        'emotion/top1',
        'emotion/macro_f1',
        'emotion/weighted_f1',
    ]
    assert result['emotion/top1'] == pytest.approx(100 * sum(hits) / COUNT)
