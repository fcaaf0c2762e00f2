"""Safetensors have every weight, and JSON says what they are."""

import json

from safetensors import safe_open
from safetensors.torch import load_file

from tests.weights.comparing import CLASSES, same
from uniemox_mm.apis import load_model
from uniemox_mm.export import export_checkpoint
from uniemox_mm.utils.sha256_file import sha256_file
from uniemox_mm.version import __version__
from uniemox_mm.weights import convert_checkpoint
from uniemox_mm.weights.read_checkpoint import load_weights, read_checkpoint


def test_safetensors_have_everything(pretraining, tmp_path):
    checkpoint, model = pretraining
    target = tmp_path / 'out' / 'u.safetensors'
    written = export_checkpoint(checkpoint, target, 'safetensors')
    beside = target.with_name('u.safetensors.json')
    assert written == [target, beside]
    assert {p.name for p in target.parent.iterdir()} == {
        'u.safetensors',
        'u.safetensors.json',
    }
    same(load_file(target), model.state_dict())
    same(load_weights(target), model.state_dict())
    convert_checkpoint(target, tmp_path / 'back.pth')
    same(load_weights(tmp_path / 'back.pth'), model.state_dict())
    loaded = load_model(target, checkpoint.with_name('tiny.py'))
    same(loaded.state_dict(), model.state_dict())
    described = json.loads(beside.read_text())
    assert described['config']['model']['neck']['decoder_depth'] == 2
    described.pop('config')
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


def test_safetensors_of_a_classifier_know_its_classes(classifier, tmp_path):
    folder, model = classifier
    target = tmp_path / 'c.safetensors'
    export_checkpoint(folder, target, 'safetensors')
    same(load_file(target), model.state_dict())
    meta = read_checkpoint(target)['meta']
    assert meta['dataset_meta'] == dict(classes=CLASSES)
    with safe_open(target, framework='pt') as file:
        assert file.metadata()['format'] == 'pt'
    described = json.loads((tmp_path / 'c.safetensors.json').read_text())
    assert described['classes'] == CLASSES
    assert described['preprocessing']['resize_short_edge'] == 36
    text = json.dumps(described)
    assert 'data_root' not in text and str(tmp_path) not in text
