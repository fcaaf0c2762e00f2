"""What is not taken is reported, line by line."""

import argparse

import torch
from mmengine.runner import load_checkpoint

from tests.helpers import C3, CLASSIFIER, EMO_MAE, build
from tests.weights.comparing import save
from tests.weights.plain_mae import (
    encoder_of,
    finetuned,
    random_encoder,
    random_mae,
)
from uniemox_mm.weights import convert_checkpoint, convert_weights
from uniemox_mm.weights.checked_loading import load_strictly
from uniemox_mm.weights.read_checkpoint import load_weights


def test_the_authors_fine_tuned_checkpoints(tmp_path):
    """They keep the norm that the mean goes past, and how they were made."""
    weights = finetuned()
    weights['norm.weight'] = weights['norm.bias'] = torch.ones(32)
    content = dict(
        model={f'module.{key}': value for key, value in weights.items()},
        att_fusion={'module.weight': torch.ones(2)},
        optimizer=dict(state={}, param_groups=[]),
        epoch=3,
        args=argparse.Namespace(output_dir='out', blr=1e-3),
    )
    source = save(tmp_path / 'checkpoint-max.pth', content)
    report = convert_checkpoint(source, tmp_path / 'ours.pth')
    assert report.summary() == [
        'checkpoint-max.pth: u-emo, ViT of 2 blocks, width 32, patch 8, '
        'image 32 x 32, 8 classes',
        'left out  norm.weight: the mean of the patches goes through fc_norm '
        'instead',
        'left out  norm.bias: the mean of the patches goes through fc_norm '
        'instead',
        'left out  [att_fusion]: beside the weights',
        'left out  [optimizer]: beside the weights',
        'left out  [epoch]: beside the weights',
        'left out  [args]: beside the weights',
        'missing   backbone.ln1.*: no start for pretraining or for the class '
        'token, which need it',
        'missing   neck.*: fresh in pretraining',
        'missing   fusion.*: fresh in pretraining',
        '32 mapped, 6 left out',
    ]
    model = build(CLASSIFIER)
    load_strictly(model, load_weights(tmp_path / 'ours.pth'))
    assert torch.equal(model.backbone.ln2.bias, weights['fc_norm.bias'])
    # Named, the encoder alone, for pretraining.
    options = dict(leave_out=['fc_norm.*', 'head.*'])
    convert_checkpoint(source, tmp_path / 'encoder.pth', **options)
    encoder = build(EMO_MAE)
    load_checkpoint(encoder, str(tmp_path / 'encoder.pth'))
    assert torch.equal(encoder.backbone.ln1.bias, torch.ones(32))


def test_the_report_has_every_key(tmp_path):
    weights = encoder_of(random_mae(depth=1).state_dict())
    weights['extra'] = torch.ones(1)
    source = save(tmp_path / 'mae.pth', weights)
    target = tmp_path / 'new' / 'ours.pth'
    report = convert_checkpoint(source, target, leave_out=['ext*'])
    layer = 'blocks.0.{} -> backbone.layers.0.{}'
    lines = [
        'mae.pth: mae, ViT of 1 blocks, width 32, patch 8, image 32 x 32',
        'mapped    cls_token -> backbone.cls_token',
        'mapped    pos_embed -> backbone.pos_embed',
        *(
            f'mapped    patch_embed.proj.{kind} -> '
            f'backbone.patch_embed.projection.{kind}'
            for kind in ('weight', 'bias')
        ),
        *(
            'mapped    ' + layer.format(f'{theirs}.{kind}', f'{ours}.{kind}')
            for theirs, ours in (
                ('norm1', 'ln1'),
                ('attn.qkv', 'attn.qkv'),
                ('attn.proj', 'attn.proj'),
                ('norm2', 'ln2'),
                ('mlp.fc1', 'ffn.layers.0.0'),
                ('mlp.fc2', 'ffn.layers.1'),
            )
            for kind in ('weight', 'bias')
        ),
        'mapped    norm.weight -> backbone.ln1.weight',
        'mapped    norm.bias -> backbone.ln1.bias',
        'left out  extra: by --leave-out',
        'missing   backbone.ln2.*: fresh in a classifier that takes the mean '
        'of the patches',
        'missing   neck.*: fresh in pretraining',
        'missing   fusion.*: fresh in pretraining',
        'missing   head.*: fresh in a classifier',
        '18 mapped, 1 left out',
    ]
    assert report.lines() == lines
    written = target.with_name('ours.pth.report.txt').read_text()
    assert written == '\n'.join(lines) + '\n'
    assert {p.name for p in target.parent.iterdir()} == {
        'ours.pth',
        'ours.pth.report.txt',
    }


def test_dbots_decoder_is_left_out():
    weights = dict(random_mae().state_dict())
    for kind in ('weight', 'bias'):
        weights.pop(f'decoder_pred.{kind}')
    weights['decoder_predp.weight'] = torch.ones(32, C3)
    weights['decoder_predp.bias'] = torch.ones(32)
    found, report = convert_weights(weights)
    assert report.format == 'dbot'
    expected = encoder_of(weights)
    assert len(found) == len(expected) == 30
    assert report.left_out == dict.fromkeys(
        [key for key in weights if key not in expected],
        "dBOT's decoder predicts features of its teacher, not pixels",
    )


def test_escapes_do_not_reach_the_terminal(tmp_path):
    """Nor what UTF-8 cannot say the report."""
    content = {'model': random_encoder(), '\ud800\x1b[31m': 1}
    path, target = tmp_path / 'file.pth', tmp_path / 'ours.pth'
    report = convert_checkpoint(save(path, content), target)
    line = r'left out  [\ud800\x1b[31m]: beside the weights'
    assert line in report.summary()
    written = tmp_path / 'ours.pth.report.txt'
    assert line in written.read_text().splitlines()
