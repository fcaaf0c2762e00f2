"""timm builds a model that has the same weights and gives the same numbers."""

import re

import numpy as np
import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from safetensors.torch import load_file

from tests.helpers import ROOT
from tests.weights.comparing import CLASSES, close, logits
from uniemox_mm.apis.load_model import build_model
from uniemox_mm.export.description import describe_preprocessing
from uniemox_mm.export.to_timm import crop_fraction, timm_model


def test_timm_builds_the_pretrained_encoder(pretrained, export, tmp_path):
    exported, config = export(pretrained, 'timm', 'timm')
    assert sorted((tmp_path / 'timm').iterdir()) == [config, exported]
    assert (config.name, exported.name) == ('config.json', 'model.safetensors')
    other = timm.create_model(f'local-dir:{tmp_path}/timm', pretrained=True)
    other.load_state_dict(load_file(exported), strict=True)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        tokens = pretrained.extract_feat(images)[-1]
        close(other.eval().forward_features(images), tokens)
        close(other(images), tokens[:, 0])


@pytest.mark.parametrize('pool', ['avg', 'token'])
def test_timm_builds_the_classifier(load, config, export, tmp_path, pool):
    if pool == 'token':
        config.model.backbone.update(out_type='cls_token', final_norm=True)
    model = load(config)
    export(model, 'timm', 'timm')
    other = timm.create_model(f'local-dir:{tmp_path}/timm', pretrained=True)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        close(other.eval()(images), logits(model, images))
        (features,) = model.extract_feat(images)
        close(
            other.forward_head(other.forward_features(images), True), features
        )
    assert other.default_cfg['label_names'] == CLASSES
    data = timm.data.resolve_data_config(other.pretrained_cfg)
    assert data == dict(
        input_size=(3, 32, 32),
        interpolation='bicubic',
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        crop_pct=32 / 36,
        crop_mode='center',
    )


def test_timm_preprocesses_as_the_test_pipeline_does(tmp_path):
    cfg = Config.fromfile(ROOT / 'configs/finetune/vit-l_uniemox_fi.py')
    images = describe_preprocessing(cfg)
    mean, std = (
        255 * torch.tensor(images[key]).reshape(3, 1, 1)
        for key in ('mean', 'std')
    )
    steps = cfg.test_dataloader.dataset.pipeline
    ours = Compose([TRANSFORMS.build(step) for step in steps])
    theirs = timm.data.create_transform(
        (3, images['center_crop'], images['center_crop']),
        interpolation=images['interpolation'],
        mean=images['mean'],
        std=images['std'],
        crop_pct=images['center_crop'] / images['resize_short_edge'],
    )
    noise = np.random.default_rng(0)
    for height, width in ((257, 400), (300, 255), (1000, 301), (90, 91)):
        path = tmp_path / f'{height}.png'
        pixels = noise.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        found = ours(dict(img_path=str(path), gt_label=0))['inputs']
        found = (found.flip(0) - mean) / std  # BGR
        close(theirs(Image.open(path)), found)


def test_timm_resizes_to_the_same_pixel():
    """timm divides, and rounds down."""
    for size in range(16, 600, 16):
        for resize in range(size, 2 * size + 1):
            assert int(size / crop_fraction(size, resize)) == resize


@pytest.mark.parametrize(
    ('config', 'name', 'classes'),
    [
        ('finetune/vit-l_uniemox_fi', 'vit_large_patch16_224', 8),
        ('finetune/vit-b_uniemox_fi', 'vit_base_patch16_224', 8),
        ('uniemox_vit-l_pretrain', 'vit_large_patch16_224', 0),
    ],
)
def test_real_sizes_have_timms_own_names(config, name, classes):
    with torch.device('meta'):
        model = build_model(Config.fromfile(ROOT / f'configs/{config}.py'))
        found, arguments = timm_model(model, classes)
        other = timm.create_model(found, **arguments)
    assert found == name and len(arguments) == 2
    expected = sum(v.numel() for v in model.backbone.parameters())
    expected += sum(v.numel() for v in model.head.parameters())
    assert sum(v.numel() for v in other.parameters()) == expected


TANH = dict(type='GELU', approximate='tanh')


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(norm_cfg=dict(type='LN', eps=1e-5)), r'norms with eps \[1e-05'),
        (dict(pre_norm=True), 'a norm before the blocks'),
        (dict(out_indices=[0]), 'features of another block than the last'),
        (dict(out_indices=[0, 1]), 'features of another block than the last'),
        (dict(out_type='featmap'), "features 'featmap'"),
        (dict(final_norm=True), 'norms both before and after the mean'),
        (dict(out_type='cls_token'), 'no last norm'),
        (dict(layer_cfgs=dict(act_cfg=TANH)), 'another activation than GELU'),
        (
            dict(layer_cfgs=[dict(), dict(act_cfg=dict(type='ReLU'))]),
            'another activation than GELU',
        ),
    ],
)  # fmt: skip
def test_models_that_timm_would_compute_otherwise(
    load, config, export, tmp_path, changes, reason
):
    config.model.backbone.update(changes)
    with pytest.raises(ValueError, match=rf'epoch_3\.pth: timm.*{reason}'):
        export(load(config), 'timm', 'timm')
    assert not (tmp_path / 'timm').exists()


def test_other_parts_that_timm_does_not_have(load, config, export):
    config.model.neck = dict(type='ClsBatchNormNeck', input_features=32)
    with pytest.raises(ValueError, match='cannot have a neck'):
        export(load(config), 'timm', 'timm')
    config.model.backbone = dict(type='ResNet', depth=18)
    with pytest.raises(ValueError, match='ResNet is not a ViT'):
        export(load(config), 'timm', 'timm')


def test_weights_without_a_name_in_timm(classifier, export):
    classifier.head.extra = torch.nn.Linear(2, 2, bias=False)
    del classifier.head.fc
    problem = 'missing: head.weight, head.bias.*unexpected: head.extra.weight'
    with pytest.raises(ValueError, match=problem):
        export(classifier, 'timm', 'timm')


def test_bgr_is_refused(classifier, export):
    classifier._config.data_preprocessor.to_rgb = False
    with pytest.raises(ValueError, match=re.escape('BGR, and timm gives RGB')):
        export(classifier, 'timm', 'timm')
