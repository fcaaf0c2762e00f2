"""Weights that must not be converted: the message says which and why."""

import pytest
import torch
import torchvision

from tests.helpers import CLASSIFIER, EMO_MAE, build
from tests.weights.comparing import save
from tests.weights.plain_mae import finetuned, random_encoder
from uniemox_mm.weights import convert_checkpoint, convert_weights

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


def cast(dtype):
    return lambda: {k: v.to(dtype) for k, v in random_encoder().items()}


def with_junk(model, *keys):
    return lambda: {
        **build(model).state_dict(),
        **dict.fromkeys(keys, torch.ones(1)),
    }


# Weights, and the cause that the message names.
WEIGHTS = {
    'int64': (
        cast(torch.int64),
        r'30 .* not floating-point: backbone\.cls_token \(int64\)',
    ),
    'bool': (cast(torch.bool), r'not floating-point: .*\(bool\)'),
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
    'no-head-bias': (
        lambda: without(finetuned(), 'head.bias'),
        r"1 key missing: head\.fc\.bias; expected timm's .*8 classes",
    ),
}


@pytest.mark.parametrize('name', WEIGHTS)
def test_weights_that_do_not_fit_are_refused(name):
    make, cause = WEIGHTS[name]
    with pytest.raises(ValueError, match=cause):
        convert_weights(make())


@pytest.mark.parametrize(
    ('options', 'cause'),
    [
        (dict(source_format='clip'), "CLIP's names; found blocks.0.attn"),
        (dict(patch_size=16), '8 pixels, not 16'),
        (dict(img_size=36), '36 pixels .* patches of 8'),
        (dict(leave_out=['haed.*']), r'--leave-out haed\.\*'),
        (dict(allow_missing=['nothing.*']), r'--allow-missing nothing\.\*'),
        (dict(pre_norm=True), "--pre-norm is for CLIP's .*MAE's"),
        (dict(classes=['a', 'b']), '2 names of classes, .*0 outputs'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
)
def test_options_that_do_not_fit_are_refused(options, cause, tmp_path):
    path = save(tmp_path / 'file.pth', random_encoder())
    with pytest.raises(ValueError, match=f'^{path}: .*{cause}'):
        convert_checkpoint(path, tmp_path / 'out' / 'ours.pth', **options)
    assert [p.name for p in tmp_path.iterdir()] == ['file.pth']


@pytest.mark.parametrize(
    ('target', 'cause'),
    [
        ('file.pth', 'name of a new file'),
        ('ours.safetensors', r"torch's format.* ours\.pth"),
        ('file.pth/x', 'cannot be written'),
        ('.', 'is a folder'),
    ],
)
def test_targets_that_cannot_be_written_are_refused(target, cause, tmp_path):
    path = save(tmp_path / 'file.pth', random_encoder())
    with pytest.raises(ValueError, match=f'^{tmp_path / target}: .*{cause}'):
        convert_checkpoint(path, tmp_path / target)
    assert [p.name for p in tmp_path.iterdir()] == ['file.pth']


def test_keys_named_by_allow_missing_may_be_missing():
    weights = without(random_encoder(), 'norm.bias')
    _, report = convert_weights(weights, allow_missing=['*ln1.bias'])
    assert 'backbone.ln1.bias' in report.missing
