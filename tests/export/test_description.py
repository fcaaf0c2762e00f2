"""The description says what the test pipeline does, or is refused."""

import json
import re

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from tests.helpers import tiny_finetune
from uniemox_mm.export.description import describe_preprocessing

LOAD = dict(type='LoadEmotionImage')
FILE = dict(type='LoadImageFromFile')
EDGE = dict(type='ResizeEdge', scale=36, edge='short')
SQUARE = dict(type='Resize', scale=(32, 32))
CROP = dict(type='CenterCrop', crop_size=32)
PACK = dict(type='PackInputs')


def described(*pipeline):
    cfg = tiny_finetune('data', 'work')
    cfg.test_dataloader.dataset.pipeline = [dict(step) for step in pipeline]
    return describe_preprocessing(cfg)


@pytest.mark.parametrize(
    ('pipeline', 'problem'),
    [
        ((LOAD, EDGE, dict(CROP, efficientnet_style=True), PACK),
         'CenterCrop(crop_size=32, efficientnet_style=True)'),
        ((LOAD, EDGE, dict(CROP, auto_pad=True), PACK),
         'CenterCrop(crop_size=32, auto_pad=True)'),
        ((LOAD, EDGE, dict(CROP, crop_size=(32, 24)), PACK),
         'CenterCrop(crop_size=(32, 24))'),
        ((LOAD, dict(SQUARE, keep_ratio=True), PACK),
         'Resize(scale=(32, 32), keep_ratio=True)'),
        ((LOAD, dict(SQUARE, scale=(32, 24)), PACK),
         'Resize(scale=(32, 24))'),
        ((LOAD, dict(EDGE, edge='long'), CROP, PACK), "edge='long'"),
        ((LOAD, dict(EDGE, backend='tv'), CROP, PACK), "backend='tv'"),
        ((LOAD, dict(EDGE, interpolation='area'), CROP, PACK),
         "interpolation='area'"),
        ((LOAD, dict(EDGE, _scope_='mmdet'), CROP, PACK), "_scope_='mmdet'"),
        ((dict(FILE, color_type='grayscale'), EDGE, CROP, PACK),
         "LoadImageFromFile(color_type='grayscale')"),
        ((dict(LOAD, decode_short_side=36), EDGE, CROP, PACK),
         'LoadEmotionImage(decode_short_side=36)'),
        ((dict(type='LoadOther'), EDGE, CROP, PACK), 'LoadOther() -> Resize'),
        ((), 'no steps'),
        ((LOAD, EDGE, PACK), 'LoadEmotionImage() -> ResizeEdge('),
        ((LOAD, CROP, EDGE, PACK), 'LoadEmotionImage() -> CenterCrop('),
        ((LOAD, CROP, EDGE, CROP, PACK), 'LoadEmotionImage() -> CenterCrop('),
        ((LOAD, EDGE, CROP, dict(type='RandomFlip'), PACK), 'RandomFlip()'),
        ((LOAD, dict(EDGE, scale=24), CROP, PACK),
         "ResizeEdge(scale=24, edge='short') -> CenterCrop(crop_size=32)"),
        ((LOAD, SQUARE, dict(CROP, crop_size=24), PACK),
         'Resize(scale=(32, 32)) -> CenterCrop(crop_size=24)'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)  # fmt: skip
def test_other_pipelines_are_refused(pipeline, problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        described(*pipeline)


@pytest.mark.parametrize(
    ('pipeline', 'expected'),
    [
        (
            (dict(LOAD, min_size=4), dict(EDGE, _scope_='mmpretrain'),
             dict(CROP, auto_pad=False), PACK),
            dict(resize_short_edge=36, center_crop=32, library='cv2',
                 interpolation='bilinear'),
        ),
        (
            (LOAD, dict(SQUARE, scale=(48, 48), backend='pillow',
                        interpolation='bicubic'), PACK),
            dict(resize_short_edge=None, center_crop=48, library='pillow',
                 interpolation='bicubic'),
        ),
    ],
    ids=['edge', 'square'],
)  # fmt: skip
def test_sizes_and_method_of_resizing(pipeline, expected):
    found = described(*pipeline)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize('kind', ['LoadEmotionImage', 'LoadImageFromFile'])
def test_loading_is_as_described(kind, tmp_path):
    said = described(dict(type=kind), EDGE, CROP, PACK)
    rounding = dict(
        LoadEmotionImage='value / 257, rounded',
        LoadImageFromFile='value / 256, rounded down',
    )[kind]
    assert said['exif_orientation'] == 'applied'
    assert said['gray_of_16_bit'] == rounding
    assert said['alpha'] == 'dropped'
    load = Compose([TRANSFORMS.build(dict(type=kind))])

    def pixels(image, **options):
        image.save(tmp_path / 'file.png', **options)
        return load(dict(img_path=str(tmp_path / 'file.png')))['img']

    noise = np.random.default_rng(0)
    colours = noise.integers(0, 256, (20, 30, 4), np.uint8)
    np.testing.assert_array_equal(
        pixels(Image.fromarray(colours)), colours[..., 2::-1]
    )
    gray = noise.integers(0, 1 << 16, (20, 30), np.uint16)
    small = gray // 256 if kind == 'LoadImageFromFile' else gray / 257
    np.testing.assert_array_equal(
        pixels(Image.fromarray(gray))[..., 0], np.round(small)
    )
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / 'file.jpg'
    Image.fromarray(colours[..., :3]).save(path, exif=exif)
    stored = cv2.imread(
        str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )
    found = load(dict(img_path=str(path)))['img']
    upright = np.rot90(stored, -1).astype(int)
    assert found.shape == upright.shape == (30, 20, 3)
    assert np.abs(found - upright).max() <= 2  # decoders differ


def test_the_json_has_the_pipeline_of_the_test_and_no_paths(
    config, load, export
):
    config.test_pipeline[1].scale = 99  # nothing reads it
    checkpoint = '/home/me/secret/w.pth'
    config.model.backbone.init_cfg = [
        dict(type='Pretrained', checkpoint=checkpoint)
    ]
    _, beside = export(load(config), 'c.safetensors', 'safetensors')
    text = beside.read_text()
    found = json.loads(text)
    steps = found['config']['test_pipeline']
    assert [step['type'] for step in steps] == [
        'LoadEmotionImage', 'ResizeEdge', 'CenterCrop', 'PackInputs'
    ]  # fmt: skip
    assert steps[1]['scale'] == 36 and steps[2]['crop_size'] == 32
    assert 'secret' not in text
    assert found['config']['model']['backbone']['init_cfg'] == [
        dict(type='Pretrained', checkpoint='w.pth')
    ]
