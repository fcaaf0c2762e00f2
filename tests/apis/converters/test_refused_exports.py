"""What cannot be exported is said, and nothing is written."""

import pytest
import torch
from mmengine.config import Config

from uniemox_mm.apis.converters import (
    export_checkpoint,
    program_export,
)


def refusal(*arguments, **options):
    with pytest.raises((FileNotFoundError, ImportError, ValueError)) as error:
        export_checkpoint(*arguments, **options)
    return str(error.value)


def test_what_cannot_be_exported_is_said(classifier, tmp_path, monkeypatch):
    folder, model = classifier
    path = folder / 'epoch_3.pth'
    target = tmp_path / 'c'
    for form, suffix in (
        ('safetensors', '.safetensors'),
        ('onnx', '.onnx'),
        ('torch-export', '.pt2'),
    ):
        assert refusal(folder, target, form) == (
            f'{target}: expected a name that ends in {suffix}'
        )
    config = Config.fromfile(folder / 'tiny.py')
    config.model.backbone.norm_cfg = dict(type='LN', eps=1e-5)
    config.dump(tmp_path / 'eps.py')
    assert refusal(path, target, 'timm', config=tmp_path / 'eps.py') == (
        f"{path}: timm's ViT cannot have norms with eps [1e-05]"
    )
    config = Config.fromfile(folder / 'tiny.py')
    config.test_dataloader.dataset.pipeline[2] = dict(type='RandomFlip')
    config.dump(tmp_path / 'flip.py')
    assert refusal(path, target, 'timm', config=tmp_path / 'flip.py') == (
        "the test pipeline has {'type': 'RandomFlip'}, which others could not "
        'repeat; expected ResizeEdge of the short edge and CenterCrop'
    )
    weights = dict(model.state_dict())
    weights['head.extra.weight'] = weights.pop('head.fc.weight')
    torch.save(weights, path)
    assert refusal(folder, target, 'timm').startswith(
        f'{path}: keys 1 missing: head.fc.weight'
    )
    assert not target.exists()
    monkeypatch.setattr(
        program_export, 'import_module', missing_package('onnxscript')
    )
    torch.save(model.state_dict(), path)
    assert refusal(folder, tmp_path / 'c.onnx', 'onnx') == (
        'exporting to ONNX needs onnxscript, which is not installed: `pip '
        'install "uniemox_mm[export]"` has it'
    )


def missing_package(name):
    def import_module(package):
        if package == name:
            raise ModuleNotFoundError(f'No module {name}', name=name)

    return import_module


def test_pretraining_has_no_logits(pretraining, tmp_path):
    checkpoint, model = pretraining
    assert refusal(checkpoint, tmp_path / 'c.pt2', 'torch-export') == (
        f'{checkpoint}: is of pretraining and has no logits; export it to '
        'safetensors or timm, or a classifier that was trained with it'
    )
    weights = dict(model.state_dict())
    weights['backbone.pre.weight'] = torch.ones(2)
    torch.save(weights, checkpoint)
    text = refusal(checkpoint, tmp_path / 'timm', 'timm')
    assert text.startswith(
        f'{checkpoint}: these weights do not fit EmoMAE. Keys 1 not of this '
        'model: backbone.pre.weight. Expected'
    )
    checkpoint.with_name('tiny.py').unlink()
    assert refusal(checkpoint, tmp_path / 'timm', 'timm').startswith(
        f'{checkpoint}: there is no config beside it (*.py); name the config'
    )
