"""Every config parses, says how to run it, and its model builds."""

import ast
import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS, TRANSFORMS
from torch import nn

from tests.helpers import CLASSIFIER, ROOT, build
from uniemox_mm.engine.runners import check_strategy
from uniemox_mm.models.detectors.mmdet_model import import_mmdet

CONFIGS = sorted((ROOT / 'configs').glob('[!_]*.py')) + sorted(
    (ROOT / 'configs').glob('[!_]*/*.py')
)
IDS = [path.relative_to(ROOT / 'configs').as_posix() for path in CONFIGS]


def offline(cfg):
    """Random weights in the place of those that would be downloaded."""
    if 'target_generator' in cfg.model:
        cfg.model.target_generator.pretrained = None
    return cfg


def without_amp(cfg, **optimizer):
    """A config's optimizer, on the CPU or without memory."""
    wrapper = dict(cfg.optim_wrapper, type='OptimWrapper')
    del wrapper['dtype'], wrapper['loss_scale']
    return dict(wrapper, optimizer=dict(wrapper['optimizer'], **optimizer))


def test_there_are_configs():
    assert {
        'uniemox_vit-l_pretrain.py',
        'uniemox_vit-b_pretrain.py',
        'uniemox_vit-h_pretrain.py',
        'uniemox_vit-l_pretrain_deepspeed.py',
        'uniemox_vit-l_pretrain_fsdp.py',
        'uniemox_vit-tiny_demo.py',
    } <= set(IDS)


@pytest.mark.parametrize('path', CONFIGS, ids=IDS)
def test_opens_with_its_command(path):
    header = ast.get_docstring(ast.parse(path.read_text()))
    name = path.relative_to(ROOT).as_posix()
    assert 'Run:' in header
    assert name in header
    assert 'Hardware:' in header and 'Score:' in header


@pytest.mark.parametrize('path', CONFIGS, ids=IDS)
def test_model_and_pipeline_build(path):
    cfg = offline(Config.fromfile(path))
    if cfg.default_scope == 'mmdet':
        import_mmdet()
    # Some compute with numbers of tensors while they are built.
    on_meta = cfg.model.get('backbone', {}).get('type') not in (
        'MixMIMTransformer',
        'ResNet',
        'SwinTransformer',
    )
    with (
        torch.device('meta' if on_meta else 'cpu'),
        DefaultScope.overwrite_default_scope(cfg.default_scope),
    ):
        model = MODELS.build(cfg.model)
        for transform in cfg.train_dataloader.dataset.pipeline:
            TRANSFORMS.build(transform)
        with DATASETS.switch_scope_and_registry(None) as registry:
            dataset = registry.get(cfg.train_dataloader.dataset.type)
    assert isinstance(model, nn.Module)
    assert dataset is not None


def test_the_papers_run():
    cfg = offline(Config.fromfile(ROOT / 'configs/uniemox_vit-l_pretrain.py'))
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert model.backbone.embed_dims == 1024
    assert len(model.backbone.layers) == 24
    assert model.backbone.mask_ratio == 0.75
    assert len(model.neck.decoder_blocks) == 8
    assert model.neck.cls_channels == model.target_generator.embed_dim == 512
    assert cfg.train_cfg.max_epochs == 200
    assert cfg.train_dataloader.dataset.split == ['train', 'val']
    assert cfg.model.target_generator.model == 'ViT-B-16-quickgelu'
    assert cfg.optim_wrapper.dtype == 'bfloat16'
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.end, cosine.begin, cosine.end) == (40, 40, 200)
    assert cosine.T_max == 160 and cosine.convert_to_iter_based
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(
        1e-3 * cfg.auto_scale_lr.base_batch_size / 256
    )


def test_the_huge_one():
    """ViT-H/14 of MAE, with its decoder over 16 x 16 patches."""
    cfg = offline(Config.fromfile(ROOT / 'configs/uniemox_vit-h_pretrain.py'))
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    encoder, decoder = model.backbone, model.neck
    assert encoder.embed_dims == 1280 and len(encoder.layers) == 32
    assert encoder.layers[0].attn.num_heads == 16
    assert encoder.patch_embed.projection.kernel_size == (14, 14)
    assert encoder.pos_embed.shape == (1, 257, 1280)
    assert decoder.decoder_pos_embed.shape == (1, 257, 512)
    assert decoder.decoder_embed.in_features == 1280
    assert len(decoder.decoder_blocks) == 8 and decoder.cls_channels == 512
    assert decoder.decoder_pred.out_features == 3 * 14**2
    assert model.head.patch_size == 14


@pytest.mark.parametrize('kind', ['fsdp', 'deepspeed'])
def test_sharded_runs_are_the_papers(kind):
    """All but how it is run comes from the config of one machine."""
    paper = Config.fromfile(ROOT / 'configs/uniemox_vit-l_pretrain.py')
    name = f'uniemox_vit-l_pretrain_{kind}.py'
    cfg = Config.fromfile(ROOT / 'configs' / name)
    own = {'runner_type', 'strategy'}
    assert cfg.keys() - paper.keys() == own
    differ = {key for key in paper.keys() if cfg[key] != paper[key]}  # noqa: SIM118
    assert differ == (set() if kind == 'fsdp' else {'optim_wrapper'})
    for part in ('optimizer', 'paramwise_cfg'):
        assert cfg.optim_wrapper[part] == paper.optim_wrapper[part]
    check_strategy(cfg, 'pytorch')
    half = cfg.strategy.get('autocast') or cfg.optim_wrapper.dtype
    assert half == 'bfloat16'


def test_weight_decay_of_every_parameter():
    """0.05, and 0 for biases and norms, as the authors ran it."""
    cfg = offline(Config.fromfile(ROOT / 'configs/uniemox_vit-l_pretrain.py'))
    cfg.model.fusion.type = 'WeightedSumFusion'
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    optim = build_optim_wrapper(model, without_amp(cfg, fused=False))
    decay = {
        id(p): group['weight_decay']
        for group in optim.param_groups
        for p in group['params']
    }
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        expected = 0.0 if p.ndim == 1 else 0.05
        assert decay[id(p)] == expected, name
    assert decay[id(model.fusion.norm.weight)] == 0.0
    assert decay[id(model.neck.decoder_embed.bias)] == 0.0


@pytest.mark.parametrize(
    'name', ['uniemox_vit-l_pretrain.py', 'finetune/vit-l_uniemox_fi.py']
)
def test_fused_steps_equal_those_that_are_not(name):
    cfg = Config.fromfile(ROOT / 'configs' / name)
    assert cfg.optim_wrapper.optimizer.fused is True
    weights = []
    for fused in (True, False):
        torch.manual_seed(0)
        model = build(CLASSIFIER)
        optim = build_optim_wrapper(model, without_amp(cfg, fused=fused))
        start = copy.deepcopy(list(model.parameters()))
        for _ in range(3):
            for p in model.parameters():
                p.grad = torch.randn_like(p)
            optim.step()
        weights.append(list(model.parameters()))
    torch.testing.assert_close(*weights, atol=1e-6, rtol=0)
    moved = [
        (a - b).abs().max() for a, b in zip(start, weights[0], strict=True)
    ]
    assert min(moved) > optim.optimizer.defaults['lr']


@pytest.mark.parametrize('path', CONFIGS, ids=IDS)
def test_no_path_of_one_machine(path: Path):
    assert "'/" not in path.read_text()
