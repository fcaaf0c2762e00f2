"""Weights that must not be converted: each message says why."""

import pytest
import torch
import torchvision

from tests.helpers import CLASSIFIER, EMO_MAE, build
from tests.weights.plain_mae import encoder_of, finetuned, random_mae
from uniemox_mm.weights import convert_checkpoint

OF_SIZE = 'ViT of 2 blocks, width 32, patch 8, image 32 x 32'
EXPECTED = (
    '; expected {title} names and shapes of a {model}. What is meant to be so '
    'can be named by --leave-out or --allow-missing'
)


def encoder():
    return encoder_of(random_mae().state_dict())


def without(weights, *keys):
    return {k: v for k, v in weights.items() if k not in keys}


def keys(problem, title="MAE's", model=OF_SIZE):
    return f'keys {problem}' + EXPECTED.format(title=title, model=model)


def not_a_number():
    weights = encoder()
    weights['blocks.1.norm2.bias'][3] = float('nan')
    weights['norm.weight'][0] = float('inf')
    return weights


def cast(dtype):
    return lambda: {key: value.to(dtype) for key, value in encoder().items()}


def whole_numbers(dtype):
    start = 'backbone.cls_token'
    return (
        f'30 weights are no floating-point numbers: {start} ({dtype}), '
        f'backbone.pos_embed ({dtype}), '
        f'backbone.patch_embed.projection.weight ({dtype}), '
        f'backbone.patch_embed.projection.bias ({dtype}), '
        f'backbone.layers.0.ln1.weight ({dtype}), ...'
    )


WEIGHTS = {
    'int64': (cast(torch.int64), whole_numbers('int64')),
    'bool': (cast(torch.bool), whole_numbers('bool')),
    'scalar-head': (
        lambda: {**finetuned(), 'head.weight': torch.tensor(1.0)},
        'head.fc.weight is of shape (); expected 2 dimensions, none of them 0',
    ),
    'empty-head': (
        lambda: {**finetuned(), 'head.weight': torch.ones(0, 32)},
        'head.fc.weight is of shape (0, 32); expected 2 dimensions, none of '
        'them 0',
    ),
    'other-parts': (
        lambda: {
            **build(CLASSIFIER).state_dict(),
            'junk.weight': torch.ones(1),
            'fuson.w': torch.ones(1),
            'head.fcc.weight': torch.ones(1),
        },
        keys(
            '3 not of this model: junk.weight, fuson.w, head.fcc.weight',
            title="MMPretrain's",
            model=OF_SIZE + ', 8 classes',
        ),
    ),
    'other-decoder': (
        lambda: {
            **build(EMO_MAE).state_dict(),
            'neck.mask_tokem': torch.ones(1),
        },
        keys(
            '1 not of this model: neck.mask_tokem',
            title="MMPretrain's",
            model=OF_SIZE + ', decoder of 2 blocks',
        ),
    ),
    'resnet': (
        lambda: torchvision.models.resnet18().state_dict(),
        'these are not the names of a ViT of mae, u-emo, timm, dbot, '
        'mmpretrain, clip, but bn1.bias, bn1.num_batches_tracked, '
        'bn1.running_mean, bn1.running_var, bn1.weight, ...',
    ),
    'resnet-of-mmpretrain': (
        lambda: build(dict(type='ResNet', depth=18)).state_dict(
            prefix='backbone.'
        ),
        'there is no backbone.patch_embed.projection.weight, so this is not a '
        'ViT',
    ),
    'shape': (
        lambda: {**encoder(), 'blocks.1.attn.proj.weight': torch.ones(32, 8)},
        keys(
            '1 of another shape: backbone.layers.1.attn.proj.weight: '
            'checkpoint (32, 8), model (32, 32)'
        ),
    ),
    'extra': (
        lambda: {**encoder(), 'blocks.0.ls1.gamma': torch.ones(32)},
        keys('1 not of this model: blocks.0.ls1.gamma'),
    ),
    'missing': (
        lambda: without(encoder(), 'blocks.1.norm1.bias', 'cls_token'),
        keys('2 missing: backbone.cls_token, backbone.layers.1.ln1.bias'),
    ),
    'no-norm': (
        lambda: without(encoder(), 'norm.weight', 'norm.bias'),
        keys('2 missing: backbone.ln1.weight, backbone.ln1.bias'),
    ),
    'torn-decoder': (
        lambda: {**encoder(), 'mask_token': torch.ones(1, 1, 48)},
        keys('1 not of this model: neck.mask_token'),
    ),
    'huge-number': (
        lambda: {
            **encoder(),
            'blocks.99999999999.norm1.bias': torch.ones(32),
        },
        'it has a block backbone.layers.99999999999, but only 31 keys',
    ),
    'not-finite': (
        not_a_number,
        '2 weights are not finite: backbone.layers.1.ln2.bias, '
        'backbone.ln1.weight',
    ),
    'not-square': (
        lambda: {**encoder(), 'pos_embed': torch.ones(1, 1 + 4 * 5, 32)},
        'its position embedding is of 21 tokens; expected one for the class '
        'token and a square grid, such as 1 + 14 x 14 = 197',
    ),
    'oblong-patches': (
        lambda: {
            **encoder(),
            'patch_embed.proj.weight': torch.ones(32, 3, 8, 4),
        },
        'its patches are of 8 x 4 pixels; expected square ones',
    ),
    'flat-patches': (
        lambda: {**encoder(), 'patch_embed.proj.weight': torch.ones(32, 192)},
        'backbone.patch_embed.projection.weight is of shape (32, 192); '
        'expected 4 dimensions, none of them 0',
    ),
    'no-head-bias': (
        lambda: without(finetuned(), 'head.bias'),
        keys(
            '1 missing: head.fc.bias',
            title="timm's",
            model=OF_SIZE + ', 8 classes',
        ),
    ),
}


@pytest.mark.parametrize('name', WEIGHTS)
def test_weights_that_do_not_fit(name, tmp_path):
    make, message = WEIGHTS[name]
    path, target = tmp_path / 'file.pth', tmp_path / 'out' / 'ours.pth'
    torch.save(dict(model=make()), path)
    with pytest.raises(ValueError) as error:
        convert_checkpoint(path, target)
    assert str(error.value) == f'{path}: {message}'
    assert not target.parent.exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(form='clip'),
            "no key has one of CLIP's names; there are blocks.0.attn.proj."
            'bias, blocks.0.attn.proj.weight, blocks.0.attn.qkv.bias, '
            'blocks.0.attn.qkv.weight, blocks.0.mlp.fc1.bias, ...',
        ),
        (
            dict(patch_size=16),
            'its patches are of 8 pixels, not 16; patches cannot be resized',
        ),
        (
            dict(img_size=36),
            'images of 36 pixels are no whole number of patches of 8',
        ),
        (
            dict(leave_out=['haed.*']),
            '--leave-out haed.*: there is no such key',
        ),
        (
            dict(allow_missing=['nothing.*']),
            '--allow-missing nothing.*: the model has no such key',
        ),
        (
            dict(pre_norm=True),
            "--pre-norm is for CLIP's weights, and these are MAE's",
        ),
        (
            dict(classes=['a', 'b']),
            'there are 2 names of classes, but the head has 0 outputs',
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
)
def test_options_that_do_not_fit(options, message, tmp_path):
    path = tmp_path / 'file.pth'
    torch.save(encoder(), path)
    with pytest.raises(ValueError) as error:
        convert_checkpoint(path, tmp_path / 'ours.pth', **options)
    assert str(error.value) == f'{path}: {message}'
    assert [p.name for p in tmp_path.iterdir()] == ['file.pth']


def test_what_is_named_may_be_missing(tmp_path):
    path, target = tmp_path / 'file.pth', tmp_path / 'ours.pth'
    torch.save(without(encoder(), 'norm.bias'), path)
    report = convert_checkpoint(path, target, allow_missing=['*ln1.bias'])
    assert report.missing['backbone.ln1.bias'] == 'named by --allow-missing'
    with pytest.raises(ValueError) as error:
        convert_checkpoint(path, path, allow_missing=['*ln1.bias'])
    assert str(error.value) == f'{path}: expected the name of a new file'


def test_a_target_in_torchs_format_is_named_so(tmp_path):
    path, target = tmp_path / 'file.pth', tmp_path / 'ours.safetensors'
    torch.save(encoder(), path)
    with pytest.raises(ValueError) as error:
        convert_checkpoint(path, target)
    assert str(error.value) == (
        f"{target}: is written in torch's format; expected a name such as "
        'ours.pth (export.py writes safetensors)'
    )
    assert [p.name for p in tmp_path.iterdir()] == ['file.pth']
