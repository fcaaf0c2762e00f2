"""Results of an inferencer, as dicts and as plain JSON."""

from collections.abc import Sequence
from typing import Any

from mmpretrain.structures import DataSample

_ARRAYS = ('persons', 'features')


def to_result(sample: DataSample, classes: Sequence[str]) -> dict[str, Any]:
    """What ``EmotionInferencer`` returns for an image.

    Args:
        sample (DataSample): With ``img_path``, and ``pred_score`` or
            ``error``.
        classes (Sequence[str]): Names of the K classes.

    Returns:
        dict[str, Any]: ``path``, and what there is of ``pred_class``,
        ``pred_label``, ``pred_score``, ``pred_scores``, ``scores``,
        ``persons``, ``features`` and ``error``.

    Raises:
        ValueError: There are more or fewer scores than classes.
    """
    result: dict[str, Any] = dict(path=sample.img_path)
    if 'pred_score' in sample:
        scores = sample.pred_score.float().cpu().numpy()
        if len(scores) != len(classes):
            raise ValueError(
                f'the classifier gives {len(scores)} scores, but there are '
                f'{len(classes)} names of classes: {", ".join(classes)}'
            )
        label = int(scores.argmax())
        result.update(
            pred_class=classes[label],
            pred_label=label,
            pred_score=float(scores[label]),
            pred_scores=scores,
            scores=dict(zip(classes, map(float, scores), strict=True)),
        )
    for name in _ARRAYS:
        if name in sample:
            result[name] = sample.get(name).cpu().numpy()
    if 'error' in sample:
        result['error'] = sample.error
    return result


def to_json(result: dict[str, Any]) -> dict[str, Any]:
    """A result as JSON has it: lists for arrays, six digits."""
    plain = {k: v for k, v in result.items() if k != 'pred_scores'}
    if 'scores' in plain:
        plain['pred_score'] = round(plain['pred_score'], 6)
        plain['scores'] = {k: round(v, 6) for k, v in plain['scores'].items()}
    for name in _ARRAYS:
        if name in plain:
            plain[name] = plain[name].round(6).tolist()
    return plain
