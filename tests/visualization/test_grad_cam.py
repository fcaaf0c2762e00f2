"""Grad-CAM against an independent computation, and over images."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tests.apis.classifiers import (
    MEAN,
    STD,
    photo,
    preprocessed,
    write_work_dir,
)
from tests.helpers import CLASSIFIER, CLASSIFIER_BACKBONE, build
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.utils.figures import GAP, LINE, figure_pixels
from uniemox_mm.visualization.grad_cam import (
    choose_layer,
    describe_heatmap,
    draw_grad_cam,
    grad_cam,
    overlay,
    preprocess_images,
    tokens_to_map,
)

PIXELS = dict(mean=[127.5] * 3, std=[50.0] * 3, to_rgb=True, num_classes=8)
OF_CLS = dict(CLASSIFIER_BACKBONE, out_type='cls_token', final_norm=True)
RESNET = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, out_indices=(3,)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=8, in_channels=512),
)


def classifier(cfg=CLASSIFIER, **changes):
    torch.manual_seed(2)
    model = build(cfg, data_preprocessor=PIXELS, **changes)
    for name, weights in model.named_parameters():
        if weights.ndim > 1:
            weights.data.normal_(std=0.2)
        elif 'bias' in name:
            weights.data.normal_(std=0.1)
    return model.eval()


def images(count=3, size=32):
    generator = torch.Generator().manual_seed(1)
    shape = count, 3, size, size
    return torch.randint(0, 256, shape, generator=generator).byte()


def normalised(pictures):
    return (pictures.flip(1).double() - 127.5) / 50


def vit_tokens(vit, pixels, of_cls):
    """Tokens of the target layer, and the rest of the network."""
    tokens = vit.patch_embed(pixels)[0]
    cls = vit.cls_token.expand(len(pixels), -1, -1)
    tokens = torch.cat([cls, tokens], 1) + vit.pos_embed
    for layer in vit.layers[:-1]:
        tokens = layer(tokens)
    last = vit.layers[-1]

    def rest(seen):
        out = tokens + last.attn(seen)
        out = out + last.ffn.layers(last.ln2(out))
        return vit.ln1(out)[:, 0] if of_cls else vit.ln2(out[:, 1:].mean(1))

    return last.ln1(tokens), rest


def finished(raw, size):
    """ReLU, from 0 to 1, bilinear: (N, h, w) -> (N, size, size)."""
    maps = []
    for one in np.maximum(raw, 0):
        one = (one - one.min()) / (1e-7 + (one - one.min()).max())
        one = cv2.resize(one.astype(np.float32), (size, size))
        maps.append((one - one.min()) / (1e-7 + (one - one.min()).max()))
    return np.stack(maps)


@pytest.mark.parametrize('of_cls', [False, True])
@pytest.mark.parametrize('target', [None, 3])
def test_equals_autograd_in_float64(of_cls, target):
    model = classifier(backbone=OF_CLS if of_cls else CLASSIFIER_BACKBONE)
    found = grad_cam(model, images(), target)
    model.double()
    seen, rest = vit_tokens(model.backbone, normalised(images()), of_cls)
    seen = seen.detach().requires_grad_()
    logits = model.head.fc(rest(seen))
    labels = logits.argmax(1) if target is None else torch.full((3,), target)
    assert found.targets.tolist() == labels.tolist()
    np.testing.assert_allclose(
        found.scores, logits.softmax(1).detach(), atol=1e-5
    )
    total = logits[torch.arange(3), labels].sum()
    (gradient,) = torch.autograd.grad(total, seen)
    # The weight of a channel is its mean gradient over the patches.
    weights = gradient[:, 1:].mean(1, keepdim=True)
    raw = (weights * seen[:, 1:]).sum(2).detach().numpy().reshape(3, 4, 4)
    np.testing.assert_allclose(found.heatmaps, finished(raw, 32), atol=1e-5)
    assert all(weights.grad is None for weights in model.parameters())


def test_a_convolutional_network_equals_autograd():
    model = classifier(RESNET)
    found = grad_cam(model, images(2, 64), layer=None)
    assert found.layer == 'backbone.layer4'
    model.double()
    (maps,) = model.backbone(normalised(images(2, 64)))
    maps = maps.detach().requires_grad_()
    logits = model.head.fc(maps.mean((2, 3)))
    total = logits[torch.arange(2), logits.argmax(1)].sum()
    (gradient,) = torch.autograd.grad(total, maps)
    raw = (gradient.mean((2, 3), keepdim=True) * maps).sum(1)
    np.testing.assert_allclose(
        found.heatmaps, finished(raw.detach().numpy(), 64), atol=1e-5
    )


def test_tokens_are_arranged_row_by_row():
    tokens = torch.arange(7.0)[None, :, None].expand(1, 7, 3)
    found = tokens_to_map(tokens, (2, 3))
    assert found[0, 2].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize('patch', [0, 6, 9, 15])
def test_the_only_bright_patch_is_found(patch):
    """A network that sums brightness must look at the only bright patch."""
    model = classifier()
    vit = model.backbone
    for layer in vit.layers:  # patches do not look at each other
        layer.attn.proj.weight.data.zero_()
        layer.attn.proj.bias.data.zero_()
        layer.ffn.layers[1].weight.data.zero_()
        layer.ffn.layers[1].bias.data.zero_()
    vit.pos_embed.data.zero_()
    vit.patch_embed.projection.weight.data.zero_()
    vit.patch_embed.projection.weight.data[0] = 1 / 192
    vit.patch_embed.projection.bias.data.zero_()
    model.head.fc.weight.data.zero_()
    model.head.fc.weight.data[5, 0] = 1
    y, x = divmod(patch, 4)
    picture = torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)
    picture[..., 8 * y : 8 * y + 8, 8 * x : 8 * x + 8] = 255
    found = grad_cam(model, picture, 5, layer='backbone.layers.1')
    row, column = np.unravel_index(found.heatmaps[0].argmax(), (32, 32))
    assert (row // 8, column // 8) == (y, x)
    inside = found.heatmaps[0, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
    # Bilinear edges spread over half a patch around it.
    assert inside.sum() > 0.4 * found.heatmaps.sum()


@pytest.mark.parametrize(
    ('cfg', 'channels', 'size', 'layer', 'grid'),
    [
        (
            dict(type='VGG', depth=11, num_classes=8),
            *(None, 224, 'backbone.features.12', 7),
        ),
        (
            dict(type='DenseNet', arch='121', out_indices=(3,)),
            *(1024, 64, 'backbone.transitions.3', 2),
        ),
        (
            dict(
                type='SwinTransformer',
                arch=dict(
                    embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]
                ),
                img_size=64,
                window_size=2,
            ),
            *(64, 64, 'backbone.norm3', 2),
        ),
        (
            dict(
                type='BEiTViT',
                arch=CLASSIFIER_BACKBONE['arch'],
                img_size=64,
                patch_size=16,
                out_type='avg_featmap',
            ),
            *(32, 64, 'backbone.layers.1.ln1', 4),
        ),
    ],
)
def test_default_layers_of_other_networks(cfg, channels, size, layer, grid):
    torch.manual_seed(0)
    head = dict(type='LinearClsHead', num_classes=8, in_channels=channels)
    pooled = cfg['type'] not in ('VGG', 'BEiTViT')
    model = build(
        dict(
            type='ImageClassifier',
            backbone=cfg,
            neck=dict(type='GlobalAveragePooling') if pooled else None,
            head=head if channels else dict(type='ClsHead'),
        ),
        data_preprocessor=PIXELS,
    ).eval()
    found = grad_cam(model, images(1, size))
    assert found.heatmaps.shape == (1, size, size)
    assert found.layer == layer
    pixels = normalised(images(1, size)).float()
    place = choose_layer(model, pixels)
    seen = []
    place.module.register_forward_hook(lambda m, a, out: seen.append(out))
    model(pixels)
    assert place.to_map(seen[0]).shape[2:] == (grid, grid)


def test_a_frozen_backbone_has_the_same_heatmap():
    model = classifier()
    expected = grad_cam(model, images()).heatmaps
    model.requires_grad_(False)
    found = grad_cam(model, images()).heatmaps
    np.testing.assert_array_equal(found, expected)
    assert found.any()


def test_unknown_classes_and_layers_are_refused():
    model = classifier()
    with pytest.raises(ValueError, match=r'no class 8.* has 8'):
        grad_cam(model, images(), 8)
    with pytest.raises(ValueError, match=r"no layer 'backbone\.ln9'"):
        grad_cam(model, images(), layer='backbone.ln9')
    with pytest.raises(ValueError, match=r'head\.fc is not a feature map'):
        grad_cam(model, images(), layer='head.fc')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    work_dir = write_work_dir(tmp_path_factory.mktemp('cam') / 'ft')
    return load_model(work_dir)


@pytest.fixture
def pictures(tmp_path):
    for seed in range(2):
        Image.fromarray(photo(seed)).save(tmp_path / f'{seed}.png')
    return [str(tmp_path / '0.png'), str(tmp_path / '1.png')]


def captions(figure):
    """Captions by axis; the first row has titles before them."""
    return [axis.texts[-1].get_text() for axis in figure.axes]


def test_heatmaps_lie_over_what_the_classifier_sees(trained, pictures):
    figure = draw_grad_cam(dict(a=trained, b=trained), pictures)
    grid = figure_pixels(figure)
    for row in range(2):
        rgb = (
            preprocessed(photo(row)) * STD[:, None, None] + MEAN[:, None, None]
        )
        rgb = rgb.round().astype(np.uint8)
        top = GAP + LINE + row * (160 + LINE + GAP)
        shown = grid[top : top + 160 : 5]  # 32 pixels
        image = shown[:, GAP : GAP + 160 : 5]
        np.testing.assert_array_equal(image, rgb.transpose(1, 2, 0))
        found = grad_cam(trained, torch.from_numpy(rgb[::-1].copy())[None])
        expected = overlay(image, found.heatmaps[0])
        for column in (1, 2):
            left = GAP + column * (160 + GAP)
            cell = shown[:, left : left + 160 : 5].astype(int)
            # Levels may differ by one where a value is at a half.
            assert abs(cell - expected).max() <= 4
            assert (cell == expected).mean() > 0.95
            best = int(found.targets[0])
            name = trained._dataset_meta['classes'][best]
            assert captions(figure)[3 * row + column] == (
                f'{name} {found.scores[0, best]:.2f}'
            )
    assert captions(figure)[::3] == ['0.png', '1.png']


def test_the_overlay_is_blue_at_0_and_red_at_1():
    image = np.full((1, 2, 3), 100, np.uint8)
    found = overlay(image, np.array([[0.0, 1.0]]))
    # OpenCV's jet goes from (0, 0, 128) to (128, 0, 0).
    assert found.tolist() == [[[50, 50, 114], [114, 50, 50]]]


def test_captions_name_another_target_and_an_empty_heatmap(trained, pictures):
    model = copy.deepcopy(trained)
    model.head.fc.weight.data.zero_()
    model.head.fc.bias.data = torch.arange(8.0)
    figure = draw_grad_cam(dict(a=model), pictures[:1], target='awe')
    score = torch.arange(8.0).softmax(0)
    first, last = ('amusement', 'awe'), 'sadness'
    assert model._dataset_meta['classes'][:2] == first
    assert captions(figure)[1].replace('\n', ' ') == (
        f'{last} {score[7]:.2f} Grad-CAM for awe {score[1]:.2f} '
        + describe_heatmap(np.zeros((2, 2)), 'awe')
    )
    assert describe_heatmap(np.eye(2), 'joy') != describe_heatmap(
        np.zeros((2, 2)), 'joy'
    )


def test_unknown_targets_layers_and_images_are_refused(trained, pictures):
    with pytest.raises(ValueError, match=r"ft: no class 'joy'.*awe"):
        draw_grad_cam(dict(ft=trained), pictures, target='joy')
    with pytest.raises(ValueError, match=r"ft: .* no layer 'x'"):
        draw_grad_cam(dict(ft=trained), pictures, layer='x')
    folder = Path(pictures[0]).parent
    with pytest.raises(BadSampleError, match=r'gone\.png: no such image'):
        draw_grad_cam(dict(ft=trained), [folder / 'gone.png'])
    names, inputs = preprocess_images(trained, [folder])
    assert names == pictures and inputs[0].shape == (3, 32, 32)
