"""Loading a detector: weights, configs, names of the index."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests.helpers import Malicious
from uniemox_mm.models import PersonDetector
from uniemox_mm.models.detectors import mmdet_zoo
from uniemox_mm.models.detectors.load_detector import import_mmdet
from uniemox_mm.utils.sha256_file import sha256_file

YOLO = 'yolov3_d53_mstrain-416_273e_coco'


def test_published_format_is_loaded_strictly(yolov3):
    stored = torch.load(yolov3, weights_only=True)['state_dict']
    loaded = PersonDetector(yolov3).detector.state_dict()
    assert list(loaded) == list(stored)
    for name, value in stored.items():
        assert torch.equal(loaded[name], value)


@pytest.mark.parametrize('kind', ['missing', 'unexpected', 'shape'])
def test_one_wrong_key_is_refused(narrow_yolov3, tmp_path, kind):
    config, weights = narrow_yolov3
    content = torch.load(weights, weights_only=True)['state_dict']
    name = list(content)[-1]
    if kind == 'missing':
        del content[name]
    elif kind == 'unexpected':
        name = 'extra'
        content[name] = torch.zeros(1)
    else:
        content[name] = torch.zeros(7)
        name += r'.*\(7,\).*\(\d+,\)'
    path = tmp_path / 'wrong.pth'
    torch.save(content, path)
    with pytest.raises(ValueError, match=f'^{path}: .*1 key.*{kind}.*{name}'):
        PersonDetector(path, config)


@pytest.mark.parametrize(
    ('weights', 'config', 'message'),
    [
        (None, None, f'needs weights.*{YOLO}'),
        ('yolov3_d53_mstrain-416_coco', None, f'near it: .*{YOLO}'),
        # A mistyped path is not taken for a name.
        (f'work_dirs/mine/{YOLO}', None, f'mine/{YOLO}: no such file'),
        (YOLO, 'nothing.py', r'nothing\.py: no such config file'),
        (YOLO, f'mine/{YOLO}.py', 'mine/.*: no such config file'),
    ],
)
def test_missing_files_are_named(yolov3, weights, config, message):
    weights = yolov3 if weights == YOLO else weights
    with pytest.raises(FileNotFoundError, match=message):
        PersonDetector(weights, config)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    trap = tmp_path / 'executed'
    torch.save(Malicious(str(trap)), tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match='nothing was loaded'):
        PersonDetector(tmp_path / 'evil.pth')
    assert not trap.exists()


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
    """MMDetection's index, with a local address of the weights."""
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


@pytest.mark.parametrize(
    ('content', 'cause'), [(None, ''), (b'else', 'invalid hash value')]
)
def test_failed_download_leaves_no_file(published, tmp_path, content, cause):
    published.unlink()
    if content is not None:
        published.write_bytes(content)
    kept = tmp_path / 'hub/checkpoints' / published.name
    with pytest.raises(RuntimeError, match=f'{cause}.*put it at {kept}'):
        PersonDetector(YOLO)
    assert not kept.exists()


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
        import_mmdet()


def test_config_from_memory(narrow_yolov3):
    config, weights = narrow_yolov3
    image = np.full((100, 100, 3), 90, np.uint8)
    cfg = Config.fromfile(config)
    (from_file,) = PersonDetector(weights, config, 0.1)([image])
    (from_dict,) = PersonDetector(weights, cfg.to_dict(), 0.1)([image])
    np.testing.assert_array_equal(from_file, from_dict)
