"""Programs give the same logits, for any size of batch."""

import json
import subprocess
import sys

import numpy as np
import onnxruntime
import torch

from tests.weights.comparing import close, logits
from uniemox_mm.export import export_checkpoint


def test_onnx_gives_the_same_logits(classifier, tmp_path):
    folder, model = classifier
    target = tmp_path / 'c.onnx'
    assert export_checkpoint(folder, target, 'onnx') == [
        target,
        tmp_path / 'c.onnx.json',
    ]
    assert {p.name for p in tmp_path.iterdir()} == {
        'work',
        'c.onnx',
        'c.onnx.json',
    }
    session = onnxruntime.InferenceSession(
        str(target), providers=['CPUExecutionProvider']
    )
    described = json.loads((tmp_path / 'c.onnx.json').read_text())
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert described['input'] == dict(name=taken.name, shape=taken.shape)
    assert described['output'] == dict(name=given.name, shape=given.shape)
    assert taken.shape[1:] == [3, 32, 32] and given.shape[1:] == [8]
    for count in (1, 2, 5):
        images = torch.randn(count, 3, 32, 32)
        (found,) = session.run(None, {'images': images.numpy()})
        expected = logits(model, images).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


WITHOUT_US = """
import sys
for name in ('uniemox_mm', 'mmpretrain', 'mmengine', 'mmcv', 'timm'):
    sys.modules[name] = None
import torch
program = torch.export.load(sys.argv[1]).module()
given = torch.load(sys.argv[2])
torch.save([program(images) for images in given], sys.argv[3])
"""


def test_a_program_runs_without_this_package(classifier, tmp_path):
    folder, model = classifier
    target = tmp_path / 'c.pt2'
    export_checkpoint(folder, target, 'torch-export')
    given = [torch.randn(count, 3, 32, 32) for count in (1, 2, 5)]
    torch.save(given, tmp_path / 'given.pt')
    command = [sys.executable, '-c', WITHOUT_US]
    files = [target, tmp_path / 'given.pt', tmp_path / 'found.pt']
    subprocess.run([*command, *files], check=True, cwd=tmp_path)
    for images, found in zip(given, torch.load(files[2]), strict=True):
        close(found, logits(model, images))
    assert str(tmp_path).encode() not in target.read_bytes()
    assert b'uniemox_mm/apis' not in target.read_bytes()
