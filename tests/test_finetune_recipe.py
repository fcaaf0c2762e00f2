"""The fine-tuning recipe: rates, decay and schedule of every parameter."""

import math

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS, PARAM_SCHEDULERS

from tests.helpers import ROOT, without_amp

CONFIG = ROOT / 'configs/finetune/vit-l_uniemox_fi.py'
LR = 6.25e-5  # 1e-3 x 16 / 256


def optimizer_of(cfg):
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    optim = build_optim_wrapper(model, without_amp(cfg, fused=False))
    groups = {
        id(p): group for group in optim.param_groups for p in group['params']
    }
    return optim, {name: groups[id(p)] for name, p in model.named_parameters()}


def depth(name):
    """0 the embeddings, 1 to 24 the layers, 25 what comes after."""
    parts = name.split('.')
    if parts[0] == 'backbone' and parts[1] == 'layers':
        return int(parts[2]) + 1
    embeddings = ('cls_token', 'pos_embed', 'patch_embed')
    return 0 if parts[1] in embeddings else 25


@pytest.mark.parametrize('rate', [1.0, 0.75])
def test_rate_and_decay_of_every_parameter(rate):
    cfg = Config.fromfile(CONFIG)
    cfg.optim_wrapper.paramwise_cfg.layer_decay_rate = rate
    _, groups = optimizer_of(cfg)
    assert len(groups) == 4 + 24 * 12 + 2 + 2
    for name, group in groups.items():
        assert group['lr'] == pytest.approx(LR * rate ** (25 - depth(name)))
        plain = (
            name.endswith('bias')
            or '.ln' in name
            or name in ('backbone.cls_token', 'backbone.pos_embed')
        )
        assert group['weight_decay'] == (0.0 if plain else 0.05), name
    assert groups['backbone.ln2.weight']['lr'] == pytest.approx(LR)
    first = groups['backbone.patch_embed.projection.weight']
    assert first['lr'] == pytest.approx(LR * rate**25)


@pytest.mark.parametrize('rate', [1.0, 0.75])
def test_schedule_of_every_layer(rate):
    """Warm-up, then half a cosine to 1/62.5 of the layer's own rate."""
    cfg = Config.fromfile(CONFIG)
    cfg.optim_wrapper.paramwise_cfg.layer_decay_rate = rate
    optim, groups = optimizer_of(cfg)
    per_epoch = 3
    schedulers = []
    for settings in cfg.param_scheduler:
        settings = dict(settings, epoch_length=per_epoch)
        kind = PARAM_SCHEDULERS.get(settings.pop('type'))
        del settings['convert_to_iter_based']
        schedulers.append(
            kind.build_iter_from_epoch(optimizer=optim, **settings)
        )
    rates = {name: [] for name in ('backbone.cls_token', 'head.fc.weight')}
    for _ in range(100 * per_epoch):
        for name in rates:
            rates[name].append(groups[name]['lr'])
        optim.optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    warm, total = 5 * per_epoch, 100 * per_epoch
    for name, found in rates.items():
        peak = LR * rate ** (25 - depth(name))
        low = peak * 1e-6 / LR
        assert found[0] == pytest.approx(peak * 1e-4)
        assert max(found) == pytest.approx(peak, rel=1e-3)
        for i in (warm, 60, 150, total - 1):
            turn = math.pi * (i - warm) / (total - warm)
            expected = low + (peak - low) * (1 + math.cos(turn)) / 2
            assert found[i] == pytest.approx(expected, rel=1e-3), i


def test_augmentation_and_targets():
    cfg = Config.fromfile(CONFIG)
    model = cfg.model
    assert model.train_cfg.augments == [
        dict(type='Mixup', alpha=0.8),
        dict(type='CutMix', alpha=1.0),
    ]
    loss = model.head.loss
    assert loss.type == 'LabelSmoothLoss' and loss.mode == 'original'
    assert loss.label_smooth_val == 0.1
    assert model.backbone.drop_path_rate == 0.2
    assert cfg.train_dataloader.batch_size == 16
    kinds = {t.type: t for t in cfg.train_pipeline}
    assert kinds['RandAugment'].magnitude_level == 9
    assert kinds['RandAugment'].magnitude_std == 0.5
    assert kinds['RandAugment'].policies == 'timm_increasing'
    assert kinds['RandomErasing'].erase_prob == 0.25
    tests = {t.type: t for t in cfg.test_pipeline}
    assert tests['ResizeEdge'].scale == 256
    assert tests['CenterCrop'].crop_size == 224


def test_soft_target_loss_equals_eq_9():
    """Mixup's and smoothing's, against NumPy in float64."""
    loss = MODELS.build(Config.fromfile(CONFIG).model.head.loss)
    torch.manual_seed(0)
    logits = torch.randn(6, 8, dtype=torch.float64)
    mixed = torch.rand(6, 8, dtype=torch.float64)
    mixed /= mixed.sum(1, keepdim=True)
    x, y = logits.numpy(), 0.9 * mixed.numpy() + 0.1 / 8
    log_sum = np.log(np.exp(x).sum(1, keepdims=True))
    expected = (y * (log_sum - x)).sum(1).mean()
    assert loss(logits, mixed).item() == pytest.approx(expected, rel=1e-6)


MILLIONS = {
    'vgg-16': 134.29,
    'densenet-121': 6.96,
    'vit-l_scratch': 303.31,
    'vit-l_supervised': 303.31,
}


@pytest.mark.parametrize(('name', 'millions'), MILLIONS.items())
def test_parameter_counts_are_the_papers(name, millions):
    """Table III counts the same parameters (with 8 classes)."""
    cfg = Config.fromfile(ROOT / f'configs/baselines/{name}.py')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    count = sum(p.numel() for p in model.parameters())
    assert round(count / 1e6, 2) == pytest.approx(millions, abs=0.011)


def test_scales_of_layers_do_not_decay():
    """CAE's, which are of one dimension but neither norms nor biases."""
    cfg = Config.fromfile(ROOT / 'configs/baselines/vit-b_cae.py')
    _, groups = optimizer_of(cfg)
    scales = [name for name in groups if 'gamma' in name]
    assert len(scales) == 2 * 12
    assert {groups[name]['weight_decay'] for name in scales} == {0.0}
    qkv = groups['backbone.layers.3.attn.qkv.weight']
    assert qkv['weight_decay'] == 0.05 and qkv['lr'] == pytest.approx(LR)
