"""Weights enter a model with every key accounted for, or not at all."""

import re

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmpretrain.registry import HOOKS, MODELS
from torch.nn import functional as F

from tests.helpers import (
    ARCH,
    BACKBONE,
    BASELINES,
    CLASSIFIER,
    CLASSIFIER_BACKBONE,
    EMO_MAE,
    PROBE,
    ROOT,
    build,
)
from tests.weights.comparing import randomised, same, save
from uniemox_mm.weights import checked_loading
from uniemox_mm.weights.checked_loading import (
    MisfitError,
    load_encoder,
    load_strictly,
)


def load(model, tmp_path, weights):
    load_checkpoint(model, str(save(tmp_path / 'weights.pth', weights)))


def test_encoder_only_weights_leave_the_rest_fresh(tmp_path, monkeypatch):
    source, model = randomised(EMO_MAE), build(EMO_MAE)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    logged = []
    monkeypatch.setattr(
        checked_loading, 'print_log', lambda text, **_: logged.append(text)
    )
    weights = source.backbone.state_dict(prefix='backbone.')
    load(model, tmp_path, weights)
    same(model.state_dict(), {**before, **weights})
    assert logged == ['Not in the checkpoint, starting fresh: fusion, neck']


@pytest.mark.parametrize(
    ('damage', 'cause'),
    [
        (
            lambda w: w.pop('backbone.layers.1.attn.qkv.weight'),
            r'1 key missing: backbone\.layers\.1\.attn\.qkv\.weight',
        ),
        (lambda w: w.pop('fusion.bias'), r'1 key missing: fusion\.bias'),
        (
            lambda w: w.update({'head.weight': torch.zeros(1)}),
            r'1 key unexpected: head\.weight',
        ),
    ],
)
def test_incomplete_and_foreign_parts_are_refused(tmp_path, damage, cause):
    weights = dict(build(EMO_MAE).state_dict())
    damage(weights)
    with pytest.raises(MisfitError, match=f'EmoMAE: {cause}'):
        load(build(EMO_MAE), tmp_path, weights)


def test_another_architecture_is_refused_before_anything_is_loaded(tmp_path):
    model = build(EMO_MAE)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    wide = dict(ARCH, feedforward_channels=96)
    other = build(EMO_MAE, backbone=dict(BACKBONE, arch=wide))
    cause = r'another shape: .*ffn.*: checkpoint \(96, 32\), model \(64, 32\)'
    with pytest.raises(MisfitError, match=cause):
        load(model, tmp_path, other.state_dict())
    same(model.state_dict(), before)


def test_names_of_other_projects_are_recognised(tmp_path):
    weights = {'blocks.0.attn.qkv.weight': torch.zeros(96, 32)}
    with pytest.raises(MisfitError, match='other projects first'):
        load(build(EMO_MAE), tmp_path, weights)


def test_encoder_report_has_every_key():
    source, model = randomised(EMO_MAE), build(CLASSIFIER)
    report = load_encoder(model, source.state_dict())
    norms = [f'backbone.{n}.{k}' for n in ('ln1', 'ln2') for k in KINDS]
    assert report.fresh == [*norms[2:], 'head.fc.weight', 'head.fc.bias']
    assert report.left_out == norms[:2]
    assert report.other_parts == ['fusion', 'neck']
    expected = {
        key: value
        for key, value in source.backbone.state_dict().items()
        if not key.startswith('ln1')
    }
    assert report.loaded == len(expected) == 28
    found = model.backbone.state_dict()
    assert found.keys() - expected.keys() == {'ln2.weight', 'ln2.bias'}
    same({key: found[key] for key in expected}, expected)
    for key in ('28 tensors', *report.fresh, *report.left_out, 'fusion, neck'):
        assert key in str(report)


def test_features_are_the_pretraining_encoders():
    """Of the whole image, before and after the norm that differs."""
    source = randomised(EMO_MAE)
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
    assert not any(key.startswith('backbone') for key in report.fresh)
    (found,) = probe.extract_feat(images, stage='backbone')
    torch.testing.assert_close(found, normed[:, 0], atol=1e-6, rtol=0)


def test_position_embeddings_follow_the_size_of_the_image():
    source = randomised(EMO_MAE)
    larger = dict(CLASSIFIER_BACKBONE, img_size=64)
    model = build(CLASSIFIER, backbone=larger)
    load_encoder(model, source.state_dict())
    old, found = source.backbone.pos_embed, model.backbone.pos_embed
    grid = old[:, 1:].reshape(1, 4, 4, 32).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(8, 8), mode='bicubic')
    torch.testing.assert_close(found[:, 1:], grid.flatten(2).mT)
    assert torch.equal(found[:, :1], old[:, :1])


def test_a_fine_tuned_encoder_keeps_its_last_norm():
    source, model = randomised(CLASSIFIER), build(CLASSIFIER)
    report = load_encoder(model, source.state_dict())
    same(model.backbone.state_dict(), source.backbone.state_dict())
    assert report.fresh == ['head.fc.weight', 'head.fc.bias']
    assert report.other_parts == ['head']


@pytest.mark.parametrize(
    ('change', 'cause'),
    [
        (
            lambda w: w.pop('backbone.layers.1.attn.qkv.bias'),
            '1 key missing: backbone.layers.1.attn.qkv.bias; expected ',
        ),
        (
            lambda w: w.update({'backbone.layers.2.ln1.bias': torch.ones(2)}),
            '1 key unexpected: backbone.layers.2.ln1.bias; expected',
        ),
        (
            lambda w: w.update({'backbone.cls_token': torch.ones(1, 1, 64)}),
            '1 key of another shape: cls_token: checkpoint (1, 1, 64), model '
            '(1, 1, 32): the config is for another architecture',
        ),
        (
            lambda w: [w.pop(k) for k in [*w] if k.startswith('backbone.')],
            "no key starts with 'backbone.'; found fusion.bias,",
        ),
    ],
    ids=['missing', 'unexpected', 'shape', 'names'],
)
def test_encoders_that_do_not_fit_are_refused(change, cause):
    weights = dict(build(EMO_MAE).state_dict())
    change(weights)
    with pytest.raises(MisfitError, match=re.escape(cause)):
        load_encoder(build(CLASSIFIER), weights)


def test_classifiers_are_loaded_whole():
    source, model = randomised(CLASSIFIER), build(CLASSIFIER)
    load_strictly(model, source.state_dict())
    same(model.state_dict(), source.state_dict())
    with pytest.raises(MisfitError, match='cannot classify yet'):
        load_strictly(model, build(EMO_MAE).state_dict())
    other = build(CLASSIFIER, head=dict(CLASSIFIER['head'], num_classes=6))
    cause = r'head\.fc\.weight: .*\(8, 32\).*another number of classes$'
    with pytest.raises(MisfitError, match=cause):
        load_strictly(other, source.state_dict())


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
KINDS = ('weight', 'bias')
LN1, LN2 = ['ln1.weight', 'ln1.bias'], ['ln2.weight', 'ln2.bias']
TABLES = [f'layers.{i}.attn.relative_position_bias_table' for i in (0, 1)]
# Baseline -> tensors that are taken, backbone keys that start fresh, and that
# are left out.
FITS = {
    'vit-l_mae': (28, LN2, LN1),
    'vit-b_mocov3': (30, [], []),
    'vit-b_beit': (35, LN2, ['mask_token', *LN1]),
    'vit-b_cae': (34, [*TABLES, *LN2], LN1),
    'swin-b_simmim': (85, [], ['mask_token']),
    'mixmim-b': (72, [], []),
    'vgg-16': (30, ['classifier.6.weight', 'classifier.6.bias'], []),
    'resnet-50': (318, [], []),
    'densenet-121': (725, [], []),
    'vit-l_supervised': (30, [], []),
}


def small_baseline(name):
    """Config and model of a baseline, and the encoder of its pretraining.

    With small architectures of the same classes.
    """
    config = Config.fromfile(ROOT / f'configs/baselines/{name}.py')
    small = SMALL.get(config.model.backbone.type, {})
    config.model.backbone.update(small)
    path, _ = Config._get_cfg_path(f'mmpretrain::{BASELINES[name]}', '')
    source = Config.fromfile(path).model.backbone
    source.update(small)
    source.pop('init_cfg', None)
    encoder = MODELS.build(source)
    for value in encoder.parameters():
        value.data.normal_(std=0.02)
    return config, MODELS.build(config.model), encoder


@pytest.mark.parametrize('name', BASELINES)
def test_weights_of_mmpretrains_zoo_fit_the_baselines(name):
    taken, fresh, left_out = FITS[name]
    config, model, encoder = small_baseline(name)
    weights = encoder.state_dict(prefix='backbone.')
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
    _, model, encoder = small_baseline('vit-b_beit')
    load_encoder(model, encoder.state_dict(prefix='backbone.'))
    table = encoder.rel_pos_bias.relative_position_bias_table
    for layer in model.backbone.layers:
        assert torch.equal(layer.attn.relative_position_bias_table, table)


def test_weights_without_a_backbone_are_refused(tmp_path):
    model = build(EMO_MAE)
    weights = {
        k: v
        for k, v in model.state_dict().items()
        if not k.startswith('backbone.')
    }
    path = str(save(tmp_path / 'weights.pth', weights))
    with pytest.raises(MisfitError, match=r'keys missing: backbone\.'):
        load_checkpoint(model, path)
