"""Runs a classifier and a detector on a batch of ready images."""

from collections.abc import Sequence

import torch
from mmengine.dataset import default_collate
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample

from uniemox_mm.evaluation.features import pooled
from uniemox_mm.models.detectors import PersonDetector


def classify(
    model: BaseModel, items: Sequence[dict], return_features: bool
) -> list[DataSample]:
    """Classifies images.

    Args:
        model (BaseModel): A classifier of MMPretrain.
        items (Sequence[dict]): Of ``preprocess``, none of them broken.
        return_features (bool): Whether to keep what the backbone gives.

    Returns:
        list[DataSample]: With ``pred_score``, ``pred_label`` and
        ``features``, these on the CPU. Scores that are not finite are
        replaced by ``error``.
    """
    keys = ('inputs', 'data_samples')
    batch = default_collate([{k: item[k] for k in keys} for item in items])
    if not return_features:
        return [_checked(sample) for sample in model.test_step(batch)]
    data = model.data_preprocessor(batch, training=False)
    stages = model.extract_feat(data['inputs'], stage='backbone')
    features = pooled(stages)
    if model.with_neck:
        stages = model.neck(stages)
    samples = model.head.predict(stages, data['data_samples'])
    for sample, vector in zip(samples, features, strict=True):
        sample.set_field(vector, 'features')
    return [_checked(sample) for sample in samples]


def find_people(
    detector: PersonDetector | None,
    items: Sequence[dict],
    samples: Sequence[DataSample],
) -> None:
    """Sets ``persons`` (M, 5) where an item has something ``to_search``."""
    pairs = [
        (item['to_search'], sample)
        for item, sample in zip(items, samples, strict=True)
        if 'to_search' in item
    ]
    if not pairs or detector is None:
        return
    found = detector.detect([ready for ready, _ in pairs])
    for (_, sample), boxes in zip(pairs, found, strict=True):
        sample.set_field(torch.from_numpy(boxes), 'persons')


def _checked(sample: DataSample) -> DataSample:
    """The sample, or one that says that its scores are none."""
    if sample.pred_score.isfinite().all():
        return sample
    problem = (
        f'{sample.name}: its scores are not finite numbers: the weights are '
        'broken, or the precision is too low'
    )
    known = dict(name=sample.name, img_path=sample.img_path, error=problem)
    return DataSample(metainfo=known)
