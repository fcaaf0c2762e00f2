"""Real detectors of MMDetection, with weights in its published format."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from tests.helpers import ROOT
from uniemox_mm.models.detectors.load_detector import import_mmdet
from uniemox_mm.models.detectors.mmdet_zoo import find_in_zoo

COCO = ('person', *(f'thing{i}' for i in range(1, 80)))
NARROW = ROOT / 'configs/person_detection/yolov3_narrow_drawn.py'
# Height and width, none a multiple of 32 after scaling to 416.
SIZES = [(90, 333), (217, 131), (415, 417), (50, 640), (601, 97)]


def noise(sizes=SIZES):
    """Coarse noise, in which the random detectors find something."""
    rng = np.random.default_rng(0)
    return [
        cv2.resize(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8), size[::-1])
        for size in sizes
    ]


def publish(config, path, spread, classes=COCO):
    """Save a detector that finds something everywhere.

    Random predictions would all be under the thresholds, so the last layers
    get large weights.
    """
    import_mmdet()
    from mmdet.registry import MODELS

    cfg = Config.fromfile(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.train()
            module.momentum = 1.0
    head = model.bbox_head
    for layer in getattr(head, 'convs_pred', None) or head.rtm_cls:
        torch.nn.init.normal_(layer.weight, 0, spread)
        torch.nn.init.zeros_(layer.bias)
    with torch.no_grad():  # which fits the norms to the features
        head(model.extract_feat(torch.rand(2, 3, 416, 416)))
    meta = dict(CLASSES=classes, epoch=273, mmdet_version='2.0.0')
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return path


@pytest.fixture(scope='session')
def yolov3(tmp_path_factory):
    """A checkpoint of MMDetection's YOLOv3, Darknet-53, at 416."""
    path = tmp_path_factory.mktemp('weights') / 'yolov3.pth'
    config = find_in_zoo('yolov3_d53_mstrain-416_273e_coco')[0]
    return publish(config, path, 0.05)


@pytest.fixture(scope='session')
def rtmdet(tmp_path_factory):
    """A checkpoint of MMDetection's RTMDet-tiny."""
    path = tmp_path_factory.mktemp('weights') / 'rtmdet.pth'
    config = find_in_zoo('rtmdet_tiny_8xb32-300e_coco')[0]
    return publish(config, path, 0.05)


@pytest.fixture(scope='session')
def narrow_yolov3(tmp_path_factory):
    """A small YOLOv3: its config and a checkpoint that finds something."""
    path = tmp_path_factory.mktemp('weights') / 'narrow.pth'
    return NARROW, publish(NARROW, path, 0.1, ('person',))
