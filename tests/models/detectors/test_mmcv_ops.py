"""Non-maximum suppression with and without MMCV's compiled ops."""

import sys

import numpy as np
import pytest
import torch

from tests.helpers import execute, numpy_nms


@pytest.mark.parametrize('offset', [0, 1])
def test_nms_is_numpys_on_200_sets(offset):
    from mmcv.ops import nms

    rng = np.random.default_rng(0)
    dropped = 0
    for _ in range(200):
        count = int(rng.integers(1, 40))
        corner = rng.uniform(0, 60, (count, 2))
        size = rng.uniform(2, 60, (count, 2))
        boxes = np.float32(np.concatenate([corner, corner + size], 1))
        scores = np.float32(rng.permutation(count) / count)
        threshold = float(rng.uniform(0.1, 0.9))
        kept, indices = nms(
            torch.from_numpy(boxes),
            torch.from_numpy(scores),
            threshold,
            offset=offset,
        )
        expected = numpy_nms(boxes, scores, threshold, offset)
        assert indices.tolist() == expected
        np.testing.assert_array_equal(kept[:, :4], boxes[expected])
        np.testing.assert_array_equal(kept[:, 4], scores[expected])
        dropped += count - len(expected)
    assert dropped > 500


COMPILED = """
import numpy as np, torch
from tests.helpers import numpy_nms
used = []
def nms(bboxes, scores, iou_threshold, offset):
    used.append(len(bboxes))
    return torch.tensor(numpy_nms(bboxes, scores, iou_threshold, offset))
def __getattr__(op):
    if op.startswith('__'):
        raise AttributeError(op)
    return lambda *args: None
"""
PROBE = """
import sys
import mmcv
if len(sys.argv) > 4:
    mmcv.__path__.append(sys.argv[4])
import uniemox_mm
from uniemox_mm.mmcv_ops import provide_mmcv_ops
import numpy as np
from uniemox_mm.models import PersonDetector
config, weights, out = sys.argv[1:4]
detector = PersonDetector(weights, config, 0.5)
rng = np.random.default_rng(0)
images = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
          for h, w in ((120, 160), (160, 99), (61, 160))]
boxes = detector(images)
np.savez(out, *boxes)
ext = sys.modules['mmcv._ext']
print(provide_mmcv_ops(), len(vars(ext).get('used', [])) > 0,
      getattr(ext, '__file__', None), sum(map(len, boxes)))
"""


def run_python(text, *arguments, code=0):
    result = execute(sys.executable, '-W', 'ignore', '-c', text, *arguments)
    assert result.returncode == code, result.stderr
    return result


@pytest.mark.slow
def test_compiled_ops_are_used_and_give_the_same_boxes(
    narrow_yolov3, tmp_path
):
    config, weights = narrow_yolov3
    (tmp_path / 'ext').mkdir()
    (tmp_path / 'ext/_ext.py').write_text(COMPILED)

    def probe(out, *more):
        result = run_python(PROBE, config, weights, tmp_path / out, *more)
        return result.stdout.splitlines()[-1].split(' ')

    stand_in, _, file, count = probe('a.npz')
    assert (stand_in, file) == ('True', 'None')
    compiled = probe('b.npz', str(tmp_path / 'ext'))
    assert compiled == ['False', 'True', f'{tmp_path}/ext/_ext.py', count]
    assert int(count) > 3
    first, second = np.load(tmp_path / 'a.npz'), np.load(tmp_path / 'b.npz')
    assert first.files == second.files
    for name in first.files:
        np.testing.assert_array_equal(first[name], second[name])


def test_another_op_says_what_is_missing():
    from mmcv.ops import RoIAlign

    from uniemox_mm.mmcv_ops import provide_mmcv_ops

    if not provide_mmcv_ops():
        pytest.skip('MMCV has compiled ops here')
    with pytest.raises(RuntimeError, match=r'roi_align_forward.*use_torchv'):
        RoIAlign(7)(torch.rand(1, 2, 8, 8), torch.tensor([[0, 0, 0, 4, 4.0]]))


def test_mmcv_reports_its_build():
    from mmcv.utils import collect_env

    report = collect_env()
    assert {'MMCV', 'MMCV Compiler'} <= set(report)


LATE = """
import mmpretrain.models
from uniemox_mm.models import PersonDetector
PersonDetector('x.pth')
"""


@pytest.mark.slow
def test_mmdet_imported_too_early_is_explained():
    last = run_python(LATE, code=1).stderr.strip().splitlines()[-1]
    assert last.startswith('ImportError: MMDetection was imported before')
