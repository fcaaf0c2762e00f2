"""A file becomes a checkpoint and an account of every key, or nothing."""

import argparse
import hashlib

import pytest
import torch
from mmengine.runner import load_checkpoint

from tests.helpers import CLASSIFIER, EMO_MAE, PROBE, build
from tests.weights.comparing import same, save
from tests.weights.plain_mae import finetuned, random_encoder
from uniemox_mm.version import __version__
from uniemox_mm.weights import convert_checkpoint
from uniemox_mm.weights.read_checkpoint import load_weights, read_checkpoint


def test_authors_checkpoints_are_accounted_for(tmp_path):
    content = dict(
        model={f'module.{key}': value for key, value in finetuned().items()},
        att_fusion={'module.weight': torch.ones(2)},
        optimizer=dict(state={}, param_groups=[]),
        epoch=3,
        args=argparse.Namespace(output_dir='out', blr=1e-3),
    )
    source = save(tmp_path / 'checkpoint-max.pth', content)
    classes = list('abcdefgh')
    target = tmp_path / 'new' / 'ours.pth'
    report = convert_checkpoint(source, target, classes=classes)
    others = '[att_fusion]', '[optimizer]', '[epoch]', '[args]'
    assert tuple(report.left_out) == others
    assert [*report.missing] == ['backbone.ln1.*', 'neck.*', 'fusion.*']
    lines = (tmp_path / 'new' / 'ours.pth.report.txt').read_text().splitlines()
    assert lines == report.lines() and len(lines) == 1 + 32 + 4 + 3 + 1
    for line in (
        'mapped    blocks.1.norm1.bias -> backbone.layers.1.ln1.bias',
        'mapped    fc_norm.weight -> backbone.ln2.weight',
    ):
        assert line in lines
    for key in (*others, *report.missing):
        assert any(key in line for line in report.summary())
    assert len(list(target.parent.iterdir())) == 2
    found = read_checkpoint(target)
    assert found['state_dict'].keys() == {*report.mapped.values()}
    assert found['meta'] == dict(
        converted_from=dict(
            file='checkpoint-max.pth',
            sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
            format='timm',
        ),
        uniemox_mm=__version__,
        dataset_meta=dict(classes=tuple(classes)),
    )


def test_converted_encoder_starts_pretraining(tmp_path):
    source = save(tmp_path / 'mae.pth', dict(model=random_encoder()))
    convert_checkpoint(source, tmp_path / 'ours.pth')
    model = build(EMO_MAE)
    load_checkpoint(model, str(tmp_path / 'ours.pth'))
    same(
        model.backbone.state_dict(prefix='backbone.'),
        load_weights(tmp_path / 'ours.pth'),
    )


def test_mmpretrains_own_is_taken_as_it_is(tmp_path):
    model = build(EMO_MAE)
    content = dict(
        state_dict=model.state_dict(),
        meta=dict(dataset_meta=dict(classes=('a', 'b')), cfg='run()'),
    )
    source = save(tmp_path / 'epoch_3.pth', content)
    report = convert_checkpoint(source, tmp_path / 'ours.pth')
    found = read_checkpoint(tmp_path / 'ours.pth')
    same(found['state_dict'], model.state_dict())
    assert report.mapped == {key: key for key in model.state_dict()}
    assert found['meta']['dataset_meta'] == dict(classes=('a', 'b'))
    assert 'cfg' not in found['meta']


def test_mmpretrains_own_head_may_be_given_names(tmp_path):
    head = dict(type='VisionTransformerClsHead', num_classes=3, in_channels=32)
    weights = build(CLASSIFIER, head=head).state_dict()
    source = save(tmp_path / 'c.pth', weights)
    convert_checkpoint(source, tmp_path / 'ours.pth', classes=['a', 'b', 'c'])
    meta = read_checkpoint(tmp_path / 'ours.pth')['meta']
    assert meta['dataset_meta'] == dict(classes=('a', 'b', 'c'))


def test_a_neck_keeps_its_count_of_batches(tmp_path):
    """A whole number, beside weights that must not be."""
    model = build(PROBE)
    model.neck.bn.num_batches_tracked += 7
    source = save(tmp_path / 'c.pth', model.state_dict())
    convert_checkpoint(source, tmp_path / 'ours.pth')
    same(load_weights(tmp_path / 'ours.pth'), model.state_dict())


def test_views_take_no_more_than_their_own_place(tmp_path):
    weights = random_encoder()
    whole = torch.zeros(10**6)
    whole[:32] = weights['norm.bias']
    weights['norm.bias'] = whole[:32]
    path = save(tmp_path / 'file.pth', weights)
    convert_checkpoint(path, tmp_path / 'ours.pth')
    assert path.stat().st_size > 4 * 10**6
    assert (tmp_path / 'ours.pth').stat().st_size < 10**6


def test_escapes_do_not_reach_the_terminal(tmp_path):
    """Nor what UTF-8 cannot say the report."""
    content = {'model': random_encoder(), '\ud800\x1b[31m': 1}
    path, target = tmp_path / 'file.pth', tmp_path / 'ours.pth'
    report = convert_checkpoint(save(path, content), target)
    line = r'left out  [\ud800\x1b[31m]: beside the weights'
    assert line in report.summary()
    written = tmp_path / 'ours.pth.report.txt'
    assert line in written.read_text().splitlines()


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
