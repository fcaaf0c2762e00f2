"""Safetensors hold every weight, and what cannot be exported is refused."""

import json

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from tests.weights.comparing import CLASSES, same
from uniemox_mm.apis import load_model
from uniemox_mm.export.export_model import EXPORT_FORMATS, export_model
from uniemox_mm.utils.sha256_file import sha256_file
from uniemox_mm.version import __version__
from uniemox_mm.weights import convert_checkpoint
from uniemox_mm.weights.read_checkpoint import (
    load_weights,
    read_checkpoint,
)


def test_safetensors_hold_pretraining_bit_by_bit(pretrained, export, tmp_path):
    written = export(pretrained, 'out/u.safetensors', 'safetensors')
    target, beside = written
    assert beside == target.with_name('u.safetensors.json')
    assert sorted(target.parent.iterdir()) == written
    expected = pretrained.state_dict()
    same(load_file(target), expected)
    same(load_weights(target), expected)
    convert_checkpoint(target, tmp_path / 'back.pth')
    same(load_weights(tmp_path / 'back.pth'), expected)
    loaded = load_model(target, pretrained._config)
    same(loaded.state_dict(), expected)
    described = json.loads(beside.read_text())
    config = described.pop('config')
    assert config['model']['neck']['decoder_depth'] == 2
    checkpoint = tmp_path / 'epoch_3.pth'
    assert described == dict(
        format='safetensors',
        uniemox_mm=__version__,
        source=dict(file='epoch_3.pth', sha256=sha256_file(checkpoint)),
        task='pretraining',
        classes=None,
        preprocessing=dict(
            resize_short_edge=None,
            center_crop=32,
            interpolation='bicubic',
            library='pillow',
            mean=[0.485, 0.456, 0.406],
            std=[0.229, 0.224, 0.225],
            channels='RGB',
            exif_orientation='applied',
            gray_of_16_bit='value / 257, rounded',
            alpha='dropped',
        ),
    )


def test_safetensors_hold_a_classifier_and_its_classes(classifier, export):
    target, beside = export(classifier, 'c.safetensors', 'safetensors')
    same(load_file(target), classifier.state_dict())
    meta = read_checkpoint(target)['meta']
    assert meta['dataset_meta'] == dict(classes=CLASSES)
    with safe_open(target, framework='pt') as file:
        assert file.metadata()['format'] == 'pt'
    text = beside.read_text()
    described = json.loads(text)
    assert described['task'] == 'classification'
    assert described['classes'] == CLASSES
    assert described['preprocessing']['resize_short_edge'] == 36
    assert 'data_root' not in text and '/work' not in text


@pytest.mark.parametrize(
    ('name', 'format', 'problem'),
    [
        ('c', 'safetensors', r'c: .* ends in \.safetensors'),
        ('c', 'onnx', r'c: .* ends in \.onnx'),
        ('c', 'torch-export', r'c: .* ends in \.pt2'),
        ('folder.onnx', 'onnx', r'folder\.onnx: is a folder'),
        ('epoch_3.pth', 'timm', r'epoch_3\.pth: is a file'),
        ('epoch_3.pth/a/timm', 'timm', r'a/timm: .*epoch_3\.pth'),
        ('epoch_3.pth/c.pt2', 'torch-export', r'c\.pt2: .*epoch_3\.pth'),
    ],
)
def test_targets_that_cannot_be_written(
    classifier, export, tmp_path, name, format, problem
):
    (tmp_path / 'folder.onnx').mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=problem):
        export(classifier, name, format)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize('format', ['safetensors', 'timm'])
def test_an_export_does_not_overwrite_its_source(
    classifier, export, tmp_path, format
):
    (source, _) = export(classifier, 'model.safetensors', 'safetensors')
    before = source.read_bytes()
    classifier._checkpoint = str(source)
    target = source if format == 'safetensors' else tmp_path
    with pytest.raises(ValueError, match=r'model\.safetensors: .*overwritten'):
        export_model(classifier, target, format)
    assert source.read_bytes() == before
    assert not (tmp_path / 'config.json').exists()


@pytest.mark.parametrize('format', ['safetensors', 'timm', 'torch-export'])
@pytest.mark.parametrize(
    ('value', 'problem'),
    [({1, 2}, 'set is not JSON'), (float('inf'), 'not JSON compliant')],
    ids=['set', 'inf'],
)
def test_a_config_that_json_cannot_hold(
    classifier, export, tmp_path, format, value, problem
):
    classifier._config.train_cfg['note'] = value
    name = f'out/c{EXPORT_FORMATS[format][0]}'
    with pytest.raises(ValueError, match=rf'epoch_3\.pth: .*{problem}'):
        export(classifier, name, format)
    assert not (tmp_path / 'out').exists()
