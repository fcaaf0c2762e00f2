"""Set the thresholds of MMDetection's detectors."""

import copy
from typing import Any

# Over it a class of YOLOv3 counts as there, beside the objectness.
CLASS_SCORE = 0.5


def set_thresholds(
    detector: Any, confidence: float | None, iou_threshold: float | None
) -> float:
    """Set the thresholds in a detector's config.

    Returns:
        float: The score from which a box counts afterwards.
    """
    min_score = confidence or 0.0
    for name, module in detector.named_modules():
        settings = getattr(module, 'test_cfg', None)
        # The first stage of a two-stage detector must stay generous.
        if not isinstance(settings, dict) or 'rpn_head' in name.split('.'):
            continue
        settings = copy.deepcopy(settings)
        final = settings.get('rcnn', settings)
        if 'conf_thr' in final and confidence is not None:
            final['conf_thr'], final['score_thr'] = confidence, CLASS_SCORE
            min_score = 0.0
        elif 'score_thr' in final and confidence is not None:
            final['score_thr'] = confidence
        if 'iou_threshold' in (final.get('nms') or {}) and (
            iou_threshold is not None
        ):
            final['nms']['iou_threshold'] = iou_threshold
        module.test_cfg = settings
    return min_score
