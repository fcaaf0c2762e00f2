"""Weights of other projects give the same numbers here, or are refused."""

import open_clip
import pytest
import timm
import torch
import torchvision
from torch.nn import functional as F

from tests.helpers import (
    C3,
    CLASSIFIER,
    EMO_MAE,
    TEACHER,
    PublishedClip,
    build,
)
from tests.weights.comparing import close, logits, same
from tests.weights.plain_mae import (
    encoder_of,
    finetuned,
    random_encoder,
    random_mae,
)
from uniemox_mm.weights import convert_checkpoint, convert_weights
from uniemox_mm.weights.checked_loading import load_encoder, load_strictly
from uniemox_mm.weights.read_checkpoint import load_weights


def timm_vit(**settings):
    sizes = dict(
        img_size=32,
        patch_size=8,
        embed_dim=32,
        depth=2,
        num_heads=4,
        mlp_ratio=2,
    )
    return timm.create_model('vit_base_patch16_224', **sizes, **settings)


def test_encoder_features_equal_timms():
    weights = random_encoder()
    found, report = convert_weights(weights)
    assert report.format == 'mae'
    model = build(EMO_MAE).eval()
    model.load_state_dict(found, strict=False)
    reference = timm_vit(num_classes=0).eval()
    reference.load_state_dict(weights)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        expected = reference.forward_features(images)  # (3, 1 + 16, 32)
        close(model.extract_feat(images)[-1], expected)
    assert expected.std() > 0.1


def test_reconstruction_equals_plain_mae():
    mae = random_mae()
    found, _ = convert_weights(mae.state_dict())
    model = build(EMO_MAE).eval()
    model.load_state_dict(found, strict=False)
    images = torch.randn(3, 3, 32, 32)
    torch.manual_seed(1)
    reconstructed, hidden = model.reconstruct(images)
    of_patches = F.max_pool2d(hidden[:, :1], 8).flatten(1)  # (3, 16)
    kept = (of_patches == 0).nonzero()[:, 1].reshape(3, 4)
    pixels = mae(images, kept)  # (3, 16, 8 * 8 * 3), channels last
    pixels = pixels.reshape(3, 4, 4, 8, 8, 3).permute(0, 5, 1, 3, 2, 4)
    close(reconstructed, pixels.reshape(3, 3, 32, 32))


def test_fine_tuned_logits_equal_timms():
    weights = finetuned()
    found, report = convert_weights(weights)
    assert report.format == 'timm'
    model = build(CLASSIFIER).eval()
    load_strictly(model, found)
    reference = timm_vit(num_classes=8, global_pool='avg').eval()
    reference.load_state_dict(weights)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        close(logits(model, images), reference(images))


@pytest.mark.parametrize('size', [16, 64])
def test_position_embeddings_are_interpolated(size):
    weights = random_mae().state_dict()
    found, report = convert_weights(weights, img_size=size, patch_size=8)
    grid = size // 8
    for theirs, ours, width in (
        ('pos_embed', 'backbone.pos_embed', 32),
        ('decoder_pos_embed', 'neck.decoder_pos_embed', C3),
    ):
        old = weights[theirs]
        picture = old[:, 1:].reshape(1, 4, 4, width).permute(0, 3, 1, 2)
        new = F.interpolate(picture, size=(grid, grid), mode='bicubic')
        assert torch.equal(found[ours][:, 1:], new.flatten(2).mT)
        assert torch.equal(found[ours][:, :1], old[:, :1])
        assert f'4 x 4 to {grid} x {grid}' in report.changed[ours]
    assert len(report.changed) == 2
    assert f'image {size} x {size}' in report.model
    model = build(
        CLASSIFIER, backbone=dict(CLASSIFIER['backbone'], img_size=size)
    )
    load_encoder(model, found)
    assert torch.equal(model.backbone.pos_embed, found['backbone.pos_embed'])


def test_authors_superseded_norm_is_left_out():
    """They keep the norm that the mean goes past."""
    weights = finetuned()
    weights['norm.weight'] = weights['norm.bias'] = torch.ones(32)
    found, report = convert_weights(weights)
    assert report.format == 'u-emo'
    assert report.left_out.keys() == {'norm.weight', 'norm.bias'}
    load_strictly(build(CLASSIFIER), found)
    # Named, the encoder alone, for pretraining.
    found, report = convert_weights(weights, leave_out=['fc_norm.*', 'head.*'])
    assert torch.equal(found['backbone.ln1.bias'], torch.ones(32))
    assert 'backbone.ln2.bias' not in found and 'head.fc.bias' not in found


def test_dbots_decoder_is_left_out():
    weights = dict(random_mae().state_dict())
    for kind in ('weight', 'bias'):
        weights.pop(f'decoder_pred.{kind}')
    weights['decoder_predp.weight'] = torch.ones(32, C3)
    weights['decoder_predp.bias'] = torch.ones(32)
    found, report = convert_weights(weights)
    assert report.format == 'dbot'
    assert len(found) == len(encoder_of(weights)) == 30
    assert report.left_out.keys() == weights.keys() - encoder_of(weights)


CLIP_ARCH = dict(
    embed_dims=64, num_layers=2, num_heads=1, feedforward_channels=256
)
QUICK = dict(act_cfg=dict(type='mmpretrain.QuickGELU'))
SETTINGS = [
    "norm_cfg=dict(type='LN', eps=1e-5)",
    "layer_cfgs=dict(act_cfg=dict(type='mmpretrain.QuickGELU'))",
]


def clip_weights():
    weights = build(TEACHER).clip.state_dict()
    for value in weights.values():
        value.normal_(std=0.2)
    return weights


def clip_classifier(**settings):
    backbone = dict(
        CLASSIFIER['backbone'],
        arch=CLIP_ARCH,
        final_norm=True,
        norm_cfg=dict(type='LN', eps=1e-5),
        **settings,
    )
    return build(CLASSIFIER, backbone=backbone, head=None).eval()


def visual_tower(weights, name=TEACHER['model']):
    visual = open_clip.create_model(name, **TEACHER['model_cfg']).visual
    start = 'visual.'
    visual.load_state_dict(
        {
            key.removeprefix(start): value
            for key, value in weights.items()
            if key.startswith(start)
        }
    )
    return visual.eval()


def test_clip_blocks_equal_open_clips():
    """Its blocks are ours, but for eps; what is around them is reported."""
    weights = clip_weights()
    found, report = convert_weights(weights)
    assert report.format == 'clip'
    assert report.changed.keys() == {
        'backbone.cls_token',
        'backbone.pos_embed',
        'backbone.patch_embed.projection.bias',
    }
    assert {key for key in report.left_out if key.startswith('visual.')} == {
        'visual.proj',
        'visual.ln_pre.weight',
        'visual.ln_pre.bias',
    }
    assert [*report.settings] == SETTINGS
    assert SETTINGS[0] in report.summary()[-3]
    model = clip_classifier(out_type='raw')
    assert load_encoder(model, found).fresh == []
    visual = visual_tower(weights)
    visual.ln_pre = torch.nn.Identity()
    visual.output_tokens, visual.proj = True, None
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        cls, patches = visual(images)
        tokens = model.extract_feat(images)[-1]
    close(tokens[:, 0], cls)
    close(tokens[:, 1:], patches)


@pytest.mark.parametrize('quick', [False, True])
def test_clip_with_pre_norm_equals_open_clip(quick):
    """With the settings that the report names."""
    weights = clip_weights()
    found, report = convert_weights(weights, pre_norm=True)
    assert [*report.settings] == [*SETTINGS, 'pre_norm=True']
    assert not any('ln_pre' in key for key in report.left_out)
    model = clip_classifier(
        out_type='cls_token', layer_cfgs=QUICK if quick else {}, pre_norm=True
    )
    assert load_encoder(model, found).fresh == []
    visual = visual_tower(weights, TEACHER['model'] + '-quickgelu' * quick)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = visual(images)
        (features,) = model.extract_feat(images)
    assert expected.std() > 0.1
    close(features @ visual.proj, expected)
    again, report = convert_weights(found)
    assert report.format == 'mmpretrain'
    same(again, found)


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_clip_as_openai_publishes_it(tmp_path):
    clip = build(TEACHER).clip
    path = tmp_path / 'ViT-B-16.pt'
    torch.jit.script(PublishedClip(clip).half()).save(str(path))
    report = convert_checkpoint(path, tmp_path / 'ours.pth')
    assert report.format == 'clip'
    expected, _ = convert_weights(clip.state_dict())
    assert len(expected) == 30
    same(
        load_weights(tmp_path / 'ours.pth'),
        {key: value.half() for key, value in expected.items()},
    )


LAYER = r'backbone\.layers\.1'


def without(weights, *keys):
    return {k: v for k, v in weights.items() if k not in keys}


def encoder_with(**weights):
    return lambda: {**random_encoder(), **weights}


def not_finite():
    weights = random_encoder()
    weights['blocks.1.norm2.bias'][3] = float('nan')
    weights['norm.weight'][0] = float('inf')
    return weights


def with_junk(model, *keys):
    return lambda: {
        **build(model).state_dict(),
        **dict.fromkeys(keys, torch.ones(1)),
    }


# Weights, and the cause that the message names.
WEIGHTS = {
    'int64': (
        lambda: {k: v.long() for k, v in random_encoder().items()},
        r'30 .* not floating-point: backbone\.cls_token \(int64\)',
    ),
    'scalar-head': (
        lambda: {**finetuned(), 'head.weight': torch.tensor(1.0)},
        r'head\.fc\.weight .*\(\); expected 2 dimensions',
    ),
    'empty-head': (
        lambda: {**finetuned(), 'head.weight': torch.ones(0, 32)},
        r'head\.fc\.weight .*\(0, 32\); expected .* none of them 0',
    ),
    'other-parts': (
        with_junk(CLASSIFIER, 'junk.weight', 'fuson.w', 'head.fcc.weight'),
        r'3 keys unexpected: junk\.weight, fuson\.w, head\.fcc\.weight; '
        ".*MMPretrain's.*8 classes",
    ),
    'other-decoder': (
        with_junk(EMO_MAE, 'neck.mask_tokem'),
        r'1 key unexpected: neck\.mask_tokem; .*decoder of 2 blocks',
    ),
    'resnet': (
        lambda: torchvision.models.resnet18().state_dict(),
        'not the names of a ViT .* but bn1.bias',
    ),
    'resnet-of-mmpretrain': (
        lambda: build(dict(type='ResNet', depth=18)).state_dict(
            prefix='backbone.'
        ),
        r'no backbone\.patch_embed\.projection\.weight, .*not a ViT',
    ),
    'shape': (
        encoder_with(**{'blocks.1.attn.proj.weight': torch.ones(32, 8)}),
        rf'1 key of another shape: {LAYER}\.attn\.proj\.weight: .*\(32, 8\), '
        r'model \(32, 32\).*2 blocks, width 32, patch 8, image 32 x 32',
    ),
    'extra': (
        encoder_with(**{'blocks.0.ls1.gamma': torch.ones(32)}),
        r'1 key unexpected: blocks\.0\.ls1\.gamma;',
    ),
    'missing': (
        lambda: without(random_encoder(), 'blocks.1.norm1.bias', 'cls_token'),
        rf'2 keys missing: backbone\.cls_token, {LAYER}\.ln1\.bias;',
    ),
    'first-block-missing': (
        lambda: {
            k: v
            for k, v in random_encoder().items()
            if not k.startswith('blocks.0.')
        },
        r'12 keys missing: backbone\.layers\.0\.ln1\.weight, ',
    ),
    'no-norm': (
        lambda: without(random_encoder(), 'norm.weight', 'norm.bias'),
        r'2 keys missing: backbone\.ln1\.weight, backbone\.ln1\.bias;',
    ),
    'torn-decoder': (
        encoder_with(mask_token=torch.ones(1, 1, 48)),
        r'1 key unexpected: neck\.mask_token;',
    ),
    'huge-number': (
        encoder_with(**{'blocks.99999999999.norm1.bias': torch.ones(32)}),
        r'block backbone\.layers\.99999999999, but only 31 keys',
    ),
    'not-finite': (
        not_finite,
        rf'2 .* NaN or Inf: {LAYER}\.ln2\.bias, backbone\.ln1\.weight$',
    ),
    'not-square': (
        encoder_with(pos_embed=torch.ones(1, 1 + 4 * 5, 32)),
        '21 tokens; expected .*square grid',
    ),
    'oblong-patches': (
        encoder_with(**{'patch_embed.proj.weight': torch.ones(32, 3, 8, 4)}),
        '8 x 4 pixels; expected square',
    ),
    'flat-patches': (
        encoder_with(**{'patch_embed.proj.weight': torch.ones(32, 192)}),
        r'projection\.weight .*\(32, 192\); expected 4 dimensions',
    ),
}


@pytest.mark.parametrize('name', WEIGHTS)
def test_weights_that_do_not_fit_are_refused(name):
    make, cause = WEIGHTS[name]
    with pytest.raises(ValueError, match=cause):
        convert_weights(make())


def test_keys_named_by_allow_missing_may_be_missing():
    weights = without(random_encoder(), 'norm.bias')
    _, report = convert_weights(weights, allow_missing=['*ln1.bias'])
    assert 'backbone.ln1.bias' in report.missing
