"""Reconstructions under given masks, against NumPy."""

import numpy as np
import pytest
import torch

from tests.helpers import EMO_MAE, HEAD, build
from uniemox_mm.models.selfsup.reconstruction import (
    check_reconstructs,
    draw_masks,
    masks_given,
    reconstruct,
    render_reconstructions,
)

MEAN = np.array([123.675, 116.28, 103.53])
STD = np.array([58.395, 57.12, 57.375])
MAE = dict(
    type='MAE',
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor',
        mean=MEAN.tolist(),
        std=STD.tolist(),
        to_rgb=True,
    ),
    backbone=dict(EMO_MAE['backbone'], type='MAEViT'),
    neck=dict(
        type='MAEPretrainDecoder',
        num_patches=16,
        patch_size=8,
        embed_dim=32,
        decoder_embed_dim=32,
        decoder_depth=1,
        decoder_num_heads=4,
    ),
    head=HEAD,
)


def model_of(cfg=EMO_MAE, **changes):
    model = build(cfg, **changes)
    model.init_weights()
    for name, weights in model.named_parameters():
        if name.startswith('neck.'):
            weights.data.normal_(std=0.2)
    return model


def images(count=3):
    generator = torch.Generator().manual_seed(5)
    shape = count, 3, 32, 32
    return torch.randint(0, 256, shape, generator=generator).byte()


def by_hand(model, pictures, order, ratio):
    """Painted pixels (N, H, W, 3) and hidden ones, patch by patch."""
    rgb = pictures.numpy()[:, ::-1].transpose(0, 2, 3, 1).astype(np.float64)
    pixels = torch.from_numpy(((rgb - MEAN) / STD).transpose(0, 3, 1, 2))
    hidden = np.zeros((len(rgb), 16), bool)
    ranks = order.numpy().argsort(1).argsort(1)
    hidden[ranks >= int(16 * (1 - ratio))] = True
    ids = torch.from_numpy(ranks)
    vit = model.backbone
    tokens = vit.patch_embed(pixels.float())[0] + vit.pos_embed[:, 1:]
    kept = [
        tokens[i, ranks[i].argsort()[: int(16 * (1 - ratio))]]
        for i in range(len(rgb))
    ]
    cls = (vit.cls_token + vit.pos_embed[:, :1]).expand(len(rgb), -1, -1)
    tokens = torch.cat([cls, torch.stack(kept)], 1)
    for layer in vit.layers:
        tokens = layer(tokens)
    pred = model.neck(vit.norm1(tokens), ids).detach().numpy()
    painted = np.zeros_like(rgb)
    for number in range(16):
        y, x = divmod(number, 4)
        down, across = slice(8 * y, 8 * y + 8), slice(8 * x, 8 * x + 8)
        painted[:, down, across] = pred[:, number].reshape(-1, 8, 8, 3)
    where = hidden.reshape(-1, 4, 4).repeat(8, 1).repeat(8, 2)
    return painted * STD + MEAN, where


@pytest.mark.parametrize('cfg', [EMO_MAE, MAE], ids=['EmoMAE', 'MAE'])
@pytest.mark.parametrize('ratio', [0.75, 0.5, 0.9])
def test_four_pictures_pixel_by_pixel(cfg, ratio):
    model, pictures = model_of(cfg).eval(), images()
    order = draw_masks(3, 16, seed=4)
    found = render_reconstructions(model, pictures, order, ratio)
    painted, hidden = by_hand(model, pictures, order, ratio)
    original = pictures.numpy()[:, ::-1].transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(found.original, original)
    np.testing.assert_array_equal(found.hidden, hidden)
    shares = hidden.mean((1, 2))
    assert (shares == (16 - int(16 * (1 - ratio))) / 16).all()
    clipped = painted.round().clip(0, 255)
    # float32 may round a half the other way
    assert abs(found.reconstruction - clipped).max() <= 1
    assert (found.reconstruction == clipped).mean() > 0.99
    np.testing.assert_array_equal(found.pasted[~hidden], original[~hidden])
    np.testing.assert_array_equal(
        found.pasted[hidden], found.reconstruction[hidden]
    )
    np.testing.assert_array_equal(found.masked[~hidden], original[~hidden])
    assert (found.masked[hidden] == 128).all()


def test_the_model_and_all_random_numbers_stay_as_they_were():
    model = model_of().train()
    model.backbone.layers[0].eval()
    modes = [part.training for part in model.modules()]
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    masking = model.backbone.random_masking
    order = draw_masks(3, 16, seed=4)
    render_reconstructions(model, images(), order, 0.75)
    assert torch.equal(torch.rand(4), expected)
    assert [part.training for part in model.modules()] == modes
    assert model.backbone.random_masking == masking
    assert all(weights.grad is None for weights in model.parameters())


def test_masks_are_those_of_the_seed():
    assert torch.equal(draw_masks(2, 16, 1), draw_masks(2, 16, 1))
    assert not torch.equal(draw_masks(2, 16, 1), draw_masks(2, 16, 2))
    model = model_of()
    with masks_given(model.backbone, torch.arange(16.0)[None], 0.75):
        _, mask = reconstruct(model, torch.zeros(1, 3, 32, 32))
    assert (mask[0, :, :8] == 0).all() and (mask[0, :, 8:] == 1).all()


def test_models_without_reconstruction_are_refused():
    with pytest.raises(ValueError, match='EmoMAE reconstructs no images'):
        check_reconstructs(model_of(head=None))
    for ratio, visible in ((0.99, 0), (0.0, 16)):
        with (
            pytest.raises(ValueError, match=f'{visible} of 16 patches'),
            masks_given(torch.nn.Module(), torch.zeros(1, 16), ratio),
        ):
            pass
