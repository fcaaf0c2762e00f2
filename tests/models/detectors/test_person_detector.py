import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image

from tests.detectors import SIZES, noise
from uniemox_mm.datasets.image_sources import read_image
from uniemox_mm.models import PersonDetector
from uniemox_mm.models.detectors.load_detector import set_thresholds
from uniemox_mm.models.detectors.mmdet_zoo import find_in_zoo
from uniemox_mm.models.detectors.person_detector import prepare

YOLO = 'yolov3_d53_mstrain-416_273e_coco'
RTMDET = 'rtmdet_tiny_8xb32-300e_coco'


@pytest.fixture(scope='module')
def detector(yolov3):
    return PersonDetector(yolov3)


def mmdets_own(name, weights, options, images):
    """The people that MMDetection itself finds, clipped to the image."""
    from mmdet.apis import inference_detector, init_detector
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmdet'):
        config = find_in_zoo(name)[0]
        model = init_detector(
            config, str(weights), device='cpu', cfg_options=options
        )
        results = inference_detector(model, images)
    boxes = []
    for image, result in zip(images, results, strict=True):
        found = result.pred_instances
        people = torch.cat([found.bboxes, found.scores[:, None]], 1)
        people = people[found.labels == 0].numpy()
        height, width = image.shape[:2]
        people[:, :4] = people[:, :4].clip(0, [width, height, width, height])
        sides = people[:, 2:4] - people[:, :2]
        boxes.append(people[(sides >= 1).all(1)])
    return boxes


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'fixture', 'options'),
    [
        (YOLO, 'yolov3', dict(conf_thr=0.8, score_thr=0.5)),
        (RTMDET, 'rtmdet', dict(score_thr=0.8)),
    ],
)
def test_boxes_equal_mmdetections(name, fixture, options, request):
    weights = request.getfixturevalue(fixture)
    images = noise(SIZES + SIZES[::-1])
    ours = PersonDetector(weights, name, batch_size=4)(images)
    options = {**options, 'nms.iou_threshold': 0.4}
    options = {f'model.test_cfg.{k}': v for k, v in options.items()}
    theirs = mmdets_own(name, weights, options, images)
    assert sum(map(len, theirs)) >= 6
    for mine, own in zip(ours, theirs, strict=True):
        # In another memory layout sums are in another order, which moves
        # edges by up to 0.06 pixels, as the processor goes.
        np.testing.assert_allclose(mine[:, :4], own[:, :4], atol=0.1)
        np.testing.assert_allclose(mine[:, 4], own[:, 4], atol=1e-4)
        assert mine.dtype == np.float32


def test_batches_do_not_change_a_box(detector):
    images = noise(SIZES * 2)
    together = detector(images)
    assert sum(map(len, together)) > 3
    for image, boxes in zip(images, together, strict=True):
        (alone,) = detector([image])
        np.testing.assert_allclose(alone, boxes, rtol=1e-4, atol=0.05)


@pytest.mark.parametrize('size', SIZES)
def test_boxes_come_back_from_network_space(detector, size, monkeypatch):
    """A rectangle, found in the network's input, keeps its place.

    The head is made to predict, by the inverse of YOLO's coding, the
    rectangle's place in the input that the pipeline made.
    """
    height, width = size
    box = [0.2 * width, 0.3 * height, 0.75 * width, 0.9 * height]
    image = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = np.round(box).astype(int)
    image[y1:y2, x1:x2] = 255
    ready = prepare(detector.pipeline, image)
    bright = np.asarray(ready['inputs'])[0] > 127
    rows, columns = bright.any(1).nonzero()[0], bright.any(0).nonzero()[0]
    target = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1

    def predict(features):
        maps = [torch.full((1, 255, *f.shape[-2:]), -20.0) for f in features]
        stride, (anchor_w, anchor_h) = 32, (116, 90)
        middle_x = (target[0] + target[2]) / 2 / stride
        middle_y = (target[1] + target[3]) / 2 / stride
        cell = maps[0][0, :85, int(middle_y), int(middle_x)]
        cell[0] = torch.logit(torch.tensor(middle_x % 1).clip(1e-6, 1 - 1e-6))
        cell[1] = torch.logit(torch.tensor(middle_y % 1).clip(1e-6, 1 - 1e-6))
        cell[2] = np.log((target[2] - target[0]) / anchor_w)
        cell[3] = np.log((target[3] - target[1]) / anchor_h)
        cell[4] = cell[5] = 20.0
        return (maps,)

    monkeypatch.setattr(detector.detector.bbox_head, 'forward', predict)
    (found,) = detector.detect([ready])
    assert found.shape == (1, 5)
    assert np.abs(found[0, :4] - [x1, y1, x2, y2]).max() <= 1


def test_images_of_every_kind(detector, tmp_path):
    rgb = Image.fromarray(noise()[0][..., ::-1])
    rgb.save(tmp_path / 'rgb.png')
    rgba = rgb.convert('RGBA')
    gray = np.asarray(rgb.convert('L'))
    bgr = np.asarray(rgb)[..., ::-1]
    expected = detector([bgr])[0]
    assert len(expected)
    same = [tmp_path / 'rgb.png', str(tmp_path / 'rgb.png'), rgb, rgba]
    same.append(np.dstack([bgr, np.zeros((90, 333, 1), np.uint8)]))
    for boxes in detector(same):
        np.testing.assert_array_equal(boxes, expected)
    grays = detector([gray, gray[..., None], rgb.convert('L')])
    np.testing.assert_array_equal(grays[0], grays[1])
    np.testing.assert_array_equal(grays[0], grays[2])
    assert detector([]) == []


def test_images_are_upright(tmp_path):
    sideways = Image.fromarray(noise([(40, 60)])[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(tmp_path / 'a.jpg', exif=exif)
    upright = read_image(tmp_path / 'a.jpg')
    assert upright.shape == (60, 40, 3)
    np.testing.assert_array_equal(
        upright, read_image(Image.open(tmp_path / 'a.jpg'))
    )


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((4, 4, 3), np.float32), 'expected a uint8 array'),
        (np.zeros((4, 4, 2), np.uint8), r'but got uint8 \(4, 4, 2\)'),
        (np.zeros((0, 4, 3), np.uint8), r'no pixels: \(0, 4, 3\)'),
    ],
)
def test_invalid_arrays_are_refused(detector, image, message):
    with pytest.raises(ValueError, match=message):
        detector([image])


def test_invalid_files_are_refused(detector, tmp_path):
    (tmp_path / 'a.jpg').write_text('hello')
    with pytest.raises(ValueError, match=r'a\.jpg: expected a readable image'):
        detector([tmp_path / 'a.jpg'])
    with pytest.raises(FileNotFoundError, match=r'b\.jpg'):
        detector([tmp_path / 'b.jpg'])
    with pytest.raises(TypeError, match='a list of images'):
        detector(str(tmp_path / 'a.jpg'))


def test_is_registered_frozen_and_always_in_eval_mode(yolov3):
    built = MODELS.build(dict(type='PersonDetector', weights=str(yolov3)))
    before = copy.deepcopy(built.state_dict())
    built.train()
    built.init_weights()
    assert not any(p.requires_grad for p in built.parameters())
    assert not any(m.training for m in built.modules())
    for name, value in built.state_dict().items():
        assert torch.equal(value, before[name])
    assert built.device == torch.device('cpu')
    assert built.provenance == dict(
        config='yolov3_d53_8xb8-ms-416-273e_coco',
        config_sha256=built.provenance['config_sha256'],
        weights='yolov3.pth',
        weights_sha256=built.provenance['weights_sha256'],
        confidence=0.8,
        iou_threshold=0.4,
        category='person',
    )


def test_preprocessor_moves_with_the_detector(detector):
    moved = copy.deepcopy(detector)
    torch.nn.ModuleList([moved]).to('meta')
    assert moved.device.type == 'meta'
    ready = prepare(moved.pipeline, noise()[0])
    inputs = [torch.as_tensor(ready['inputs'])]
    data = dict(inputs=inputs, data_samples=[ready['data_samples']])
    batch = moved.detector.data_preprocessor(data)['inputs']
    assert batch.device.type == 'meta' and batch.shape == (1, 3, 128, 416)


def test_impossible_shape_is_refused(detector):
    with pytest.raises(ValueError, match='image of 20000 x 16 pixels cannot'):
        detector([np.zeros((16, 20000, 3), np.uint8)])


def thresholds(settings):
    return settings['score_thr'], settings['nms']['iou_threshold']


def test_thresholds_reach_the_detector(detector, rtmdet):
    for module in (detector.detector, detector.detector.bbox_head):
        assert module.test_cfg['conf_thr'] == 0.8
        assert thresholds(module.test_cfg) == (0.5, 0.4)
    assert detector.min_score == 0
    own = PersonDetector(rtmdet, RTMDET, None, None)
    assert thresholds(own.detector.bbox_head.test_cfg) == (0.001, 0.65)
    strict = PersonDetector(rtmdet, RTMDET, 0.7, 0.3)
    assert thresholds(strict.detector.bbox_head.test_cfg) == (0.7, 0.3)
    assert strict.min_score == 0.7


def test_two_stage_detectors_keep_a_generous_first_stage():
    from mmdet.registry import MODELS as DETECTORS
    from mmengine.registry import DefaultScope

    path = find_in_zoo('faster-rcnn_r50_fpn_1x_coco')[0]
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmdet'):
        model = DETECTORS.build(cfg.model)
    assert set_thresholds(model, 0.8, 0.4) == 0.8
    assert model.rpn_head.test_cfg['nms']['iou_threshold'] == 0.7
    for settings in (model.test_cfg['rcnn'], model.roi_head.test_cfg):
        assert thresholds(settings) == (0.8, 0.4)
