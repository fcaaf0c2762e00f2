"""Metric that writes a report, a picture and all predictions of a test."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmpretrain.registry import METRICS

from .classification_report import (
    evaluate,
    write_predictions,
    write_report,
)


@METRICS.register_module()
class EmotionReport(BaseMetric):
    """Top-1, macro and weighted F1, with tables, a picture, predictions.

    For tests; MMPretrain's ``Accuracy`` and ``SingleLabelMetric`` are enough
    during training. Results of several processes are put together before
    anything is computed, so their number does not matter.

    Args:
        out_dir (str, optional): Folder for ``metrics.json``, ``report.md``,
            ``confusion_matrix.png`` and ``predictions.csv``. None writes
            nothing.
        title (str): Of the report. Defaults to ''.
        facts (dict, optional): Further entries of ``metrics.json``.
        collect_device (str): 'cpu' or 'gpu'. Defaults to 'cpu'.
        prefix (str, optional): Of the names. Defaults to None.
    """

    default_prefix = 'emotion'

    def __init__(
        self,
        out_dir: str | None = None,
        title: str = '',
        facts: dict | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir = out_dir
        self.title = title
        self.facts = facts or {}

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Keep path, label and scores of each sample."""
        for sample in data_samples:
            self.results.append(
                dict(
                    image=sample.get('img_path', ''),
                    label=int(sample['gt_label']),
                    scores=sample['pred_score'].float().cpu().numpy(),
                )
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute the numbers, in percent, and write the files."""
        assert self.dataset_meta is not None
        classes = self.dataset_meta['classes']
        labels = np.array([result['label'] for result in results])
        scores = np.stack([result['scores'] for result in results])
        report = evaluate(labels, scores.argmax(1), classes)
        if self.out_dir is not None:
            names = [result['image'] for result in results]
            path = f'{self.out_dir}/predictions.csv'
            write_predictions(path, names, labels, scores, classes)
            write_report(self.out_dir, report, self.title, **self.facts)
        return dict(
            top1=report.top1,
            macro_f1=report.macro_f1,
            weighted_f1=report.weighted_f1,
        )
