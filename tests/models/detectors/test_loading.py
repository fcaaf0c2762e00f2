"""Which weights a detector takes, and which it refuses."""

import numpy as np
import pytest
import torch

from tests.helpers import Malicious
from uniemox_mm.models import PersonDetector
from uniemox_mm.models.detectors import mmdet_model, mmdet_zoo
from uniemox_mm.utils.sha256_file import sha256_file

YOLO = 'yolov3_d53_mstrain-416_273e_coco'


def test_published_format_is_loaded_strictly(yolov3):
    stored = torch.load(yolov3, weights_only=True)['state_dict']
    loaded = PersonDetector(yolov3).detector.state_dict()
    assert list(loaded) == list(stored)
    for name, value in stored.items():
        assert torch.equal(loaded[name], value)


def test_a_wrong_checkpoint_is_refused_with_its_keys(yolov3, tmp_path):
    content = torch.load(yolov3, weights_only=True)
    weights = content['state_dict']
    del weights['backbone.conv1.conv.weight']
    weights['bbox_head.extra'] = torch.zeros(1)
    path = tmp_path / 'wrong.pth'
    torch.save(content, path)
    cause = r'missing.*: backbone\.conv1.*unexpected.*: bbox_head\.extra'
    with pytest.raises(ValueError, match=f'^{path}: .*{cause}'):
        PersonDetector(path)
    del weights['bbox_head.extra']
    weights['bbox_head.convs_pred.0.bias'] = torch.zeros(18)
    torch.save(content, path)
    cause = r'bbox_head\.convs_pred\.0\.bias \(18,\), config \(255,\)'
    with pytest.raises(ValueError, match=f'^{path}: .*{cause}'):
        PersonDetector(path)


@pytest.mark.parametrize('what', ['missing', 'unexpected'])
def test_one_key_is_enough_to_refuse(narrow_yolov3, tmp_path, what):
    config, weights = narrow_yolov3
    content = torch.load(weights, weights_only=True)['state_dict']
    name = next(iter(content))
    if what == 'missing':
        del content[name]
    else:
        name = 'extra'
        content[name] = torch.zeros(1)
    torch.save(content, tmp_path / 'wrong.pth')
    with pytest.raises(ValueError, match=f'1 key {what}: {name}'):
        PersonDetector(tmp_path / 'wrong.pth', config)


def test_without_weights_there_are_no_boxes():
    with pytest.raises(FileNotFoundError, match=f'needs weights.*{YOLO}'):
        PersonDetector()


def test_misspelt_names_are_answered_with_near_ones(yolov3):
    with pytest.raises(FileNotFoundError, match=f'near it: .*{YOLO}'):
        PersonDetector('yolov3_d53_mstrain-416_coco')
    with pytest.raises(FileNotFoundError, match='no such config file'):
        PersonDetector(yolov3, 'nothing.py')


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    trap = tmp_path / 'executed'
    torch.save(Malicious(str(trap)), tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match='nothing was loaded'):
        PersonDetector(tmp_path / 'evil.pth')
    assert not trap.exists()


def test_a_mistyped_path_is_not_taken_for_a_name(yolov3):
    with pytest.raises(FileNotFoundError, match=f'mine/{YOLO}: no such file'):
        PersonDetector(f'work_dirs/mine/{YOLO}')
    with pytest.raises(FileNotFoundError, match='no such config file'):
        PersonDetector(yolov3, f'mine/{YOLO}.py')


def test_provenance_knows_the_config(narrow_yolov3, tmp_path):
    config, weights = narrow_yolov3
    other = tmp_path / config.name
    other.write_text(config.read_text().replace('size = 160', 'size = 96'))
    first = PersonDetector(weights, config).provenance
    second = PersonDetector(weights, other).provenance
    changed = {k for k in first if first[k] != second[k]}
    assert changed == {'config_sha256'}


@pytest.mark.parametrize(
    'name',
    [
        YOLO,
        'yolov3_d53_8xb8-ms-416-273e_coco.py',
        'yolov3_d53_mstrain-416_273e_coco-2b60fcd9.pth',
    ],
)
def test_names_of_mmdetections_index(name):
    config, weights = mmdet_zoo.find_in_zoo(name)
    assert config.endswith('yolo/yolov3_d53_8xb8-ms-416-273e_coco.py')
    assert weights.endswith(
        'yolo/yolov3_d53_mstrain-416_273e_coco/'
        'yolov3_d53_mstrain-416_273e_coco-2b60fcd9.pth'
    )


@pytest.fixture
def published(yolov3, tmp_path, monkeypatch):
    """The index, with an address from which the weights can be had."""
    digits = sha256_file(yolov3)[:8]
    source = tmp_path / f'yolo-{digits}.pth'
    source.symlink_to(yolov3)
    real = mmdet_zoo._index

    def index():
        for names, config, weights in real():
            own = YOLO in names
            yield names, config, source.as_uri() if own else weights

    monkeypatch.setattr(mmdet_zoo, '_index', index)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    return source


def test_a_name_is_downloaded_once(published, tmp_path, yolov3):
    detector = PersonDetector(YOLO)
    kept = tmp_path / 'hub/checkpoints' / published.name
    assert kept.read_bytes() == yolov3.read_bytes()
    published.unlink()
    again = PersonDetector(YOLO)
    assert again.provenance == detector.provenance


def test_a_download_that_fails_says_where_to_put_the_file(published, tmp_path):
    published.unlink()
    with pytest.raises(RuntimeError) as error:
        PersonDetector(YOLO)
    kept = tmp_path / 'hub/checkpoints' / published.name
    assert f'put it at {kept}' in str(error.value)
    assert not kept.exists()


def test_a_broken_download_is_not_kept(published, tmp_path):
    published.unlink()
    published.write_bytes(b'something else')
    with pytest.raises(RuntimeError, match='invalid hash value'):
        PersonDetector(YOLO)
    assert not (tmp_path / 'hub/checkpoints' / published.name).exists()


def test_classes_come_from_the_checkpoint_or_the_config(
    narrow_yolov3, tmp_path
):
    config, weights = narrow_yolov3
    content = torch.load(weights, weights_only=True)
    content['meta'] = dict(dataset_meta=dict(classes=('dog',)))
    torch.save(content, tmp_path / 'dog.pth')
    with pytest.raises(ValueError, match="'person'; its classes are dog"):
        PersonDetector(tmp_path / 'dog.pth', config)
    assert PersonDetector(tmp_path / 'dog.pth', config, category='Dog')
    torch.save(content['state_dict'], tmp_path / 'plain.pth')
    assert PersonDetector(tmp_path / 'plain.pth', config).label == 0


@pytest.mark.parametrize('name', ['confidence', 'iou_threshold'])
def test_thresholds_out_of_range(name):
    with pytest.raises(ValueError, match=rf'{name} must be in \[0, 1\]'):
        PersonDetector('x.pth', **{name: 1.5})


def test_another_mmdet_is_refused(monkeypatch):
    import mmdet

    monkeypatch.setattr(mmdet, '__version__', '2.28.0')
    with pytest.raises(ImportError, match=r'>=3\.0\.0,<4\.0\.0, but found 2'):
        mmdet_model.import_mmdet()


def test_a_config_from_memory(narrow_yolov3):
    from mmengine.config import Config

    config, weights = narrow_yolov3
    image = np.full((100, 100, 3), 90, np.uint8)
    cfg = Config.fromfile(config)
    (from_file,) = PersonDetector(weights, config, 0.1)([image])
    (from_dict,) = PersonDetector(weights, cfg.to_dict(), 0.1)([image])
    np.testing.assert_array_equal(from_file, from_dict)
