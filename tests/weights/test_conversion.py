"""Weights of other projects give the same numbers here."""

import hashlib

import pytest
import timm
import torch
from mmengine.runner import load_checkpoint
from torch.nn import functional as F

from tests.helpers import C3, CLASSIFIER, EMO_MAE, PROBE, build
from tests.weights.comparing import close, same, save
from tests.weights.plain_mae import (
    finetuned,
    random_encoder,
    random_mae,
)
from uniemox_mm.version import __version__
from uniemox_mm.weights import convert_checkpoint, convert_weights
from uniemox_mm.weights.checked_loading import load_encoder, load_strictly
from uniemox_mm.weights.read_checkpoint import load_weights, read_checkpoint

SMALL = dict(
    img_size=32,
    patch_size=8,
    embed_dim=32,
    depth=2,
    num_heads=4,
    mlp_ratio=2,
)


def timm_vit(**settings):
    return timm.create_model('vit_base_patch16_224', **SMALL, **settings)


def test_encoders_features_are_timms(tmp_path):
    weights = random_encoder()
    source = save(tmp_path / 'mae.pth', dict(model=weights))
    report = convert_checkpoint(source, tmp_path / 'ours.pth')
    model = build(EMO_MAE).eval()
    load_checkpoint(model, str(tmp_path / 'ours.pth'))
    reference = timm_vit(num_classes=0).eval()
    reference.load_state_dict(weights)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        expected = reference.forward_features(images)  # (3, 1 + 16, 32)
        close(model.extract_feat(images)[-1], expected)
    assert expected.std() > 0.1
    assert report.format == 'mae'


def test_decoder_paints_what_maes_does(tmp_path):
    mae = random_mae()
    source = save(tmp_path / 'mae.pth', dict(model=mae.state_dict()))
    convert_checkpoint(source, tmp_path / 'ours.pth')
    model = build(EMO_MAE).eval()
    load_checkpoint(model, str(tmp_path / 'ours.pth'))
    images = torch.randn(3, 3, 32, 32)
    torch.manual_seed(1)
    painted, hidden = model.reconstruct(images)
    of_patches = F.max_pool2d(hidden[:, :1], 8).flatten(1)  # (3, 16)
    kept = (of_patches == 0).nonzero()[:, 1].reshape(3, 4)
    pixels = mae(images, kept)  # (3, 16, 8 * 8 * 3), channels last
    pixels = pixels.reshape(3, 4, 4, 8, 8, 3).permute(0, 5, 1, 3, 2, 4)
    close(painted, pixels.reshape(3, 3, 32, 32))


def test_fine_tuned_logits_are_timms(tmp_path):
    weights = finetuned()
    source = save(tmp_path / 'ft.pth', dict(model=weights))
    classes = list('abcdefgh')
    convert_checkpoint(source, tmp_path / 'ours.pth', classes=classes)
    model = build(CLASSIFIER).eval()
    load_strictly(model, load_weights(tmp_path / 'ours.pth'))
    reference = timm_vit(num_classes=8, global_pool='avg').eval()
    reference.load_state_dict(weights)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        close(model(images, mode='tensor'), reference(images))
    meta = read_checkpoint(tmp_path / 'ours.pth')['meta']
    assert meta == dict(
        converted_from=dict(
            file='ft.pth',
            sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
            format='timm',
        ),
        uniemox_mm=__version__,
        dataset_meta=dict(classes=tuple(classes)),
    )


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
    how = f'interpolated from 4 x 4 to {grid} x {grid} patches'
    assert report.changed == dict.fromkeys(
        ['backbone.pos_embed', 'neck.decoder_pos_embed'], how
    )
    assert f'image {size} x {size}' in report.model
    model = build(
        CLASSIFIER, backbone=dict(CLASSIFIER['backbone'], img_size=size)
    )
    load_encoder(model, found)
    assert torch.equal(model.backbone.pos_embed, found['backbone.pos_embed'])


def test_mmpretrains_own_is_taken_as_it_is(tmp_path):
    model = build(EMO_MAE)
    content = dict(
        state_dict=model.state_dict(),
        meta=dict(dataset_meta=dict(classes=('a', 'b')), cfg='run()'),
    )
    source = save(tmp_path / 'epoch_3.pth', content)
    report = convert_checkpoint(source, tmp_path / 'ours.pth')
    found = load_weights(tmp_path / 'ours.pth')
    assert found.keys() == model.state_dict().keys()
    for key, value in model.state_dict().items():
        assert torch.equal(found[key], value)
    assert report.mapped == {key: key for key in found}
    meta = read_checkpoint(tmp_path / 'ours.pth')['meta']
    assert meta['dataset_meta'] == dict(classes=('a', 'b'))
    assert 'cfg' not in meta


def test_mmpretrains_own_head_may_be_given_names(tmp_path):
    head = dict(type='VisionTransformerClsHead', num_classes=3, in_channels=32)
    source = save(
        tmp_path / 'c.pth', build(CLASSIFIER, head=head).state_dict()
    )
    classes = ['a', 'b', 'c']
    convert_checkpoint(source, tmp_path / 'ours.pth', classes=classes)
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
