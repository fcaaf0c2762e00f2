"""Programs give the same logits, for batches of any size."""

import json
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch

from tests.weights.comparing import close, logits
from uniemox_mm.export import to_onnx


def test_onnx_gives_the_same_logits(classifier, export, tmp_path):
    target, beside = export(classifier, 'out/c.onnx', 'onnx')
    assert sorted(target.parent.iterdir()) == [target, beside]
    session = onnxruntime.InferenceSession(
        str(target), providers=['CPUExecutionProvider']
    )
    described = json.loads(beside.read_text())
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert described['input'] == dict(name=taken.name, shape=taken.shape)
    assert described['output'] == dict(name=given.name, shape=given.shape)
    assert taken.shape[1:] == [3, 32, 32] and given.shape[1:] == [8]
    for count in (1, 2, 5):
        images = torch.randn(count, 3, 32, 32)
        (found,) = session.run(None, {'images': images.numpy()})
        expected = logits(classifier, images).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


WITHOUT_US = """
import sys
for name in ('uniemox_mm', 'mmpretrain', 'mmengine', 'mmcv', 'timm'):
    sys.modules[name] = None
import torch
program = torch.export.load(sys.argv[1])
assert program.graph_signature.user_inputs == ('images',)
program = program.module()
given = torch.load(sys.argv[2])
torch.save([program(images) for images in given], sys.argv[3])
"""


def test_a_program_runs_without_this_package(classifier, export, tmp_path):
    target, _ = export(classifier, 'c.pt2', 'torch-export')
    given = [torch.randn(count, 3, 32, 32) for count in (1, 2, 5)]
    torch.save(given, tmp_path / 'given.pt')
    command = [sys.executable, '-c', WITHOUT_US]
    files = [target, tmp_path / 'given.pt', tmp_path / 'found.pt']
    subprocess.run([*command, *files], check=True, cwd=tmp_path)
    for images, found in zip(given, torch.load(files[2]), strict=True):
        close(found, logits(classifier, images))
    content = target.read_bytes()
    for part in (str(tmp_path), 'uniemox_mm/export', 'site-packages'):
        assert part.encode() not in content


@pytest.mark.parametrize('name', ['c.onnx', 'c.pt2'])
def test_pretraining_has_no_logits(pretrained, export, tmp_path, name):
    format = 'onnx' if name == 'c.onnx' else 'torch-export'
    with pytest.raises(ValueError, match=r'epoch_3\.pth: .*no logits'):
        export(pretrained, name, format)
    assert not (tmp_path / name).exists()


def test_a_missing_package_is_named(classifier, export, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    hint = r'onnxscript.*uniemox_mm\[export\]'
    with pytest.raises(ImportError, match=hint):
        export(classifier, 'c.onnx', 'onnx')


def test_what_does_not_fit_into_one_file(classifier, export, monkeypatch):
    monkeypatch.setattr(to_onnx, '_LIMIT', 1000)
    with pytest.raises(ValueError, match=r'do not fit .*torch-export'):
        export(classifier, 'c.onnx', 'onnx')
