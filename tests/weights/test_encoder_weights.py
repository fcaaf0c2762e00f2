"""From a pretraining checkpoint to a classifier: every key accounted for."""

import re

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import HOOKS, MODELS
from torch.nn import functional as F

from tests.helpers import (
    ARCH,
    CLASSIFIER,
    CLASSIFIER_BACKBONE,
    EMO_MAE,
    PROBE,
    ROOT,
    build,
)
from uniemox_mm.weights.checked_loading import (
    MisfitError,
    load_encoder,
    load_strictly,
)


def pretrained():
    model = build(EMO_MAE).eval()
    model.init_weights()
    for weights in model.parameters():  # so that no default value passes
        weights.data.normal_(std=0.2)
    return model


def test_every_key_is_accounted_for():
    source, model = pretrained(), build(CLASSIFIER)
    report = load_encoder(model, source.state_dict())
    taken = [
        'cls_token',
        'pos_embed',
        'patch_embed.projection.weight',
        'patch_embed.projection.bias',
        *(
            f'layers.{layer}.{name}.{kind}'
            for layer in range(2)
            for name in (
                'ln1',
                'attn.qkv',
                'attn.proj',
                'ln2',
                'ffn.layers.0.0',
                'ffn.layers.1',
            )
            for kind in ('weight', 'bias')
        ),
    ]
    assert report.loaded == len(taken) == 28
    assert report.fresh == [
        'backbone.ln2.weight',
        'backbone.ln2.bias',
        'head.fc.weight',
        'head.fc.bias',
    ]
    assert report.left_out == ['backbone.ln1.weight', 'backbone.ln1.bias']
    assert report.other_parts == ['fusion', 'neck']
    of_source = source.backbone.state_dict()
    of_model = model.backbone.state_dict()
    assert of_model.keys() == {*taken, 'ln2.weight', 'ln2.bias'}
    for name in taken:
        assert torch.equal(of_model[name], of_source[name]), name
    assert str(report) == (
        'took 28 tensors of the backbone; fresh: backbone.ln2.weight, '
        'backbone.ln2.bias, head.fc.weight, head.fc.bias; left out: '
        'backbone.ln1.weight, backbone.ln1.bias, fusion, neck'
    )


def test_features_are_the_pretraining_encoders():
    """Of the whole image, before and after the norm that differs."""
    source = pretrained()
    images = torch.randn(3, 3, 32, 32)
    normed = source.extract_feat(images)[-1]  # (3, 1 + 16, 32), after ln1
    source.backbone.final_norm = False
    tokens = source.extract_feat(images)[-1]
    model = build(CLASSIFIER).eval()
    load_encoder(model, source.state_dict())
    mean = tokens[:, 1:].mean(1)
    expected = F.layer_norm(mean, (32,), eps=1e-6)  # ln2 is fresh
    (found,) = model.extract_feat(images)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    probe = build(PROBE).eval()
    report = load_encoder(probe, source.state_dict())
    assert report.loaded == 30
    assert [key for key in report.fresh if key.startswith('backbone')] == []
    (found,) = probe.extract_feat(images, stage='backbone')
    torch.testing.assert_close(found, normed[:, 0], atol=1e-6, rtol=0)


def test_position_embeddings_follow_the_size_of_the_image():
    source = pretrained()
    model = build(CLASSIFIER, backbone=dict(CLASSIFIER_BACKBONE, img_size=64))
    load_encoder(model, source.state_dict())
    grid = source.backbone.pos_embed[:, 1:].reshape(1, 4, 4, 32)
    larger = F.interpolate(
        grid.permute(0, 3, 1, 2), size=(8, 8), mode='bicubic'
    )
    expected = larger.flatten(2).transpose(1, 2)
    found = model.backbone.pos_embed
    torch.testing.assert_close(found[:, 1:], expected)
    assert torch.equal(found[:, :1], source.backbone.pos_embed[:, :1])


def test_a_fine_tuned_encoder_keeps_its_last_norm():
    source, model = build(CLASSIFIER), build(CLASSIFIER)
    torch.nn.init.normal_(source.backbone.ln2.weight)
    report = load_encoder(model, source.state_dict())
    assert torch.equal(model.backbone.ln2.weight, source.backbone.ln2.weight)
    assert report.fresh == ['head.fc.weight', 'head.fc.bias']
    assert report.other_parts == ['head']


def without(weights, key):
    return {k: v for k, v in weights.items() if k != key}


def extra(weights, key):
    return {**weights, key: torch.zeros(2)}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda w: without(w, 'backbone.layers.1.attn.qkv.bias'),
            '1 key missing: backbone.layers.1.attn.qkv.bias; expected '
            "MMPretrain's names",
        ),
        (
            lambda w: extra(w, 'backbone.layers.2.ln1.bias'),
            '1 key unexpected: backbone.layers.2.ln1.bias; expected',
        ),
        (
            lambda w: {**w, 'backbone.cls_token': torch.zeros(1, 1, 64)},
            '1 of 28 tensors has another shape (cls_token (1, 1, 64), config '
            '(1, 1, 32)): the config is for another architecture',
        ),
        (
            lambda w: {k.removeprefix('backbone.'): v for k, v in w.items()},
            "no key starts with 'backbone.'; found cls_token,",
        ),
    ],
    ids=['missing', 'foreign', 'shape', 'names'],
)
def test_what_does_not_fit_is_refused(change, message):
    weights = change(dict(pretrained().state_dict()))
    with pytest.raises(ValueError, match=re.escape(message)):
        load_encoder(build(CLASSIFIER), weights)


def test_classifiers_are_whole():
    source, model = build(CLASSIFIER), build(CLASSIFIER)
    source.init_weights()
    load_strictly(model, source.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(value, source.state_dict()[name])
    message = 'A pretrained encoder cannot classify yet'
    with pytest.raises(ValueError, match=message):
        load_strictly(model, pretrained().state_dict())
    other = build(CLASSIFIER, head=dict(CLASSIFIER['head'], num_classes=6))
    message = (
        '2 of 32 tensors have other shapes (head.fc.weight (8, 32), config '
        '(6, 32)): the config is for another number of classes'
    )
    with pytest.raises(MisfitError, match=f'^{re.escape(message)}$'):
        load_strictly(other, source.state_dict())


def test_shapes_that_differ_take_a_line():
    wider = dict(
        CLASSIFIER,
        backbone=dict(CLASSIFIER_BACKBONE, arch=dict(ARCH, embed_dims=64)),
        head=dict(CLASSIFIER['head'], in_channels=64),
    )
    weights = pretrained().state_dict()
    with pytest.raises(MisfitError) as caught:
        load_encoder(build(wider), weights)
    assert re.fullmatch(
        r'2[0-9] of 28 tensors have other shapes \(cls_token \(1, 1, 32\), '
        r'config \(1, 1, 64\)\): the config is for another architecture',
        str(caught.value),
    )


SMALL = dict(
    VisionTransformer=dict(arch=ARCH),
    BEiTViT=dict(arch=ARCH),
    SwinTransformer=dict(
        arch=dict(embed_dims=16, depths=[1, 1, 2, 1], num_heads=[1, 2, 2, 4])
    ),
    MixMIMTransformer=dict(
        arch=dict(embed_dims=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 4])
    ),
)
LN1, LN2 = ['ln1.weight', 'ln1.bias'], ['ln2.weight', 'ln2.bias']
TABLE = 'attn.relative_position_bias_table'
# Baseline -> MMPretrain's config of the pretraining, tensors that are taken,
# backbone keys that start fresh, and that are left out.
BASELINES = {
    'vit-l_mae': (
        'mae/mae_vit-large-p16_8xb512-amp-coslr-1600e_in1k.py',
        28,
        LN2,
        LN1,
    ),
    'vit-b_mocov3': (
        'mocov3/mocov3_vit-base-p16_16xb256-amp-coslr-300e_in1k.py',
        30,
        [],
        [],
    ),
    'vit-b_beit': (
        'beit/beit_beit-base-p16_8xb256-amp-coslr-300e_in1k.py',
        35,
        LN2,
        ['mask_token', *LN1],
    ),
    'vit-b_cae': (
        'cae/cae_beit-base-p16_8xb256-amp-coslr-300e_in1k.py',
        34,
        [f'layers.0.{TABLE}', f'layers.1.{TABLE}', *LN2],
        LN1,
    ),
    'swin-b_simmim': (
        'simmim/simmim_swin-base-w6_16xb128-amp-coslr-800e_in1k-192px.py',
        85,
        [],
        ['mask_token'],
    ),
    'mixmim-b': (
        'mixmim/mixmim_mixmim-base_16xb128-coslr-300e_in1k.py',
        72,
        [],
        [],
    ),
    'vgg-16': (
        'vgg/vgg16_8xb32_in1k.py',
        30,
        ['classifier.6.weight', 'classifier.6.bias'],
        [],
    ),
    'resnet-50': ('resnet/resnet50_8xb32_in1k.py', 318, [], []),
    'densenet-121': ('densenet/densenet121_4xb256_in1k.py', 725, [], []),
    'vit-l_supervised': (
        'vision_transformer/vit-large-p16_64xb64_in1k-384px.py',
        30,
        [],
        [],
    ),
}


@pytest.mark.parametrize('name', BASELINES)
def test_weights_of_mmpretrains_zoo_fit_the_baselines(name):
    """With small architectures of the same classes."""
    pretraining, taken, fresh, left_out = BASELINES[name]
    config = Config.fromfile(ROOT / f'configs/baselines/{name}.py')
    small = SMALL.get(config.model.backbone.type, {})
    config.model.backbone.update(small)
    model = MODELS.build(config.model)
    path, _ = Config._get_cfg_path(f'mmpretrain::{pretraining}', '')
    source = Config.fromfile(path).model.backbone
    source.update(small)
    source.pop('init_cfg', None)
    encoder = MODELS.build(source)
    for value in encoder.parameters():
        value.data.normal_(std=0.02)
    weights = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    hook = HOOKS.build(config.default_hooks.encoder_weights)
    report = load_encoder(model, weights, hook.fresh, hook.left_out)
    of_backbone = [k for k in report.fresh if k.startswith('backbone.')]
    assert of_backbone == [f'backbone.{key}' for key in fresh]
    assert report.left_out == [f'backbone.{key}' for key in left_out]
    assert report.loaded == taken
    expected = encoder.state_dict()
    for key, value in model.backbone.state_dict().items():
        if key in expected and expected[key].shape == value.shape:
            assert torch.equal(value, expected[key]), key


def test_beits_shared_positions_go_to_every_layer():
    config = Config.fromfile(ROOT / 'configs/baselines/vit-b_beit.py')
    config.model.backbone.arch = ARCH
    model = MODELS.build(config.model)
    path, _ = Config._get_cfg_path(
        f'mmpretrain::{BASELINES["vit-b_beit"][0]}', ''
    )
    source = Config.fromfile(path).model.backbone
    source.update(arch=ARCH)
    del source['init_cfg']
    encoder = MODELS.build(source)
    table = encoder.rel_pos_bias.relative_position_bias_table
    table.data.normal_()
    weights = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    load_encoder(model, weights)
    for layer in model.backbone.layers:
        assert torch.equal(layer.attn.relative_position_bias_table, table)
