"""What cannot be exported is said, and nothing is written."""

import pytest
import torch
from mmengine.config import Config

from uniemox_mm.export import export_checkpoint, program_export
from uniemox_mm.weights import convert_checkpoint


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
        'the test pipeline has RandomFlip, which others could not repeat; '
        'expected LoadEmotionImage or LoadImageFromFile, ResizeEdge of the '
        "short edge and CenterCrop within it (or Resize to the crop's "
        'square), PackInputs, and nothing else'
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


def changed(classifier, tmp_path, **changes):
    """The checkpoint and a config with other settings of the backbone."""
    folder, _ = classifier
    config = Config.fromfile(folder / 'tiny.py')
    config.model.backbone.update(changes)
    config.dump(tmp_path / 'other.py')
    return folder / 'epoch_3.pth', tmp_path / 'other.py'


GELU = dict(type='GELU', approximate='tanh')


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(out_indices=[0]), 'features of another block than the last'),
        (dict(out_indices=[0, 1]), 'features of another block than the last'),
        (
            dict(layer_cfgs=dict(act_cfg=GELU)),
            'another activation than GELU by erf',
        ),
        (
            dict(layer_cfgs=[dict(), dict(act_cfg=dict(type='ReLU'))]),
            'another activation than GELU by erf',
        ),
    ],
    ids=['first-block', 'two-blocks', 'tanh', 'relu-in-one'],
)
def test_what_timm_would_compute_otherwise(
    classifier, tmp_path, changes, reason
):
    path, config = changed(classifier, tmp_path, **changes)
    assert refusal(path, tmp_path / 'timm', 'timm', config=config) == (
        f"{path}: timm's ViT cannot have {reason}"
    )
    assert not (tmp_path / 'timm').exists()


@pytest.mark.parametrize('form', ['safetensors', 'timm', 'torch-export'])
@pytest.mark.parametrize(
    ('value', 'problem'),
    [
        ('{1, 2}', 'Object of type set is not JSON serializable'),
        ("float('inf')", 'Out of range float values are not JSON compliant'),
    ],
    ids=['set', 'inf'],
)
def test_a_config_that_json_cannot_say(
    classifier, tmp_path, form, value, problem
):
    folder, _ = classifier
    own = folder / 'tiny.py'
    own.write_text(own.read_text() + f'\ntrain_cfg["note"] = {value}\n')
    suffix = {'timm': '', 'torch-export': '.pt2'}.get(form, f'.{form}')
    target = tmp_path / 'out' / f'c{suffix}'
    text = refusal(folder, target, form)
    assert text.startswith(f'{folder}/epoch_3.pth: the config has what JSON ')
    assert problem in text
    assert not target.parent.exists()


def test_targets_that_cannot_be_written(classifier, tmp_path):
    folder, _ = classifier
    file, target = tmp_path / 'file', tmp_path / 'c.onnx'
    file.touch()
    target.mkdir()
    assert refusal(folder, target, 'onnx') == (
        f'{target}: is a folder; expected the name of a file'
    )
    assert refusal(folder, file, 'timm') == (
        f'{file}: is a file; expected the name of a folder'
    )
    for form, name in (('timm', 'timm'), ('safetensors', 'c.safetensors')):
        below = file / 'more' / name
        assert refusal(folder, below, form) == (
            f'{below}: cannot be written, since {file} is no folder'
        )
        with pytest.raises(ValueError) as error:
            convert_checkpoint(folder / 'epoch_3.pth', file / 'ours.pth')
    assert str(error.value) == (
        f'{file}/ours.pth: cannot be written, since {file} is no folder'
    )


@pytest.mark.parametrize('form', ['safetensors', 'timm'])
def test_an_export_leaves_its_source_alone(classifier, tmp_path, form):
    folder, _ = classifier
    source = tmp_path / 'model.safetensors'
    export_checkpoint(folder, source, 'safetensors')
    before = source.read_bytes()
    target = source if form == 'safetensors' else tmp_path
    text = refusal(source, target, form, config=folder / 'tiny.py')
    assert text == (
        f'{source}: is what is to be exported; expected another name'
    )
    assert source.read_bytes() == before
    assert not (tmp_path / 'config.json').exists()


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
