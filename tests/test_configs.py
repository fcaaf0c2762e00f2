"""Every config parses, says how to run it, and its model builds."""

import ast
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS, TRANSFORMS
from torch import nn

from tests.helpers import ROOT
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


def test_there_are_configs():
    assert {
        'uniemox_vit-l_pretrain.py',
        'uniemox_vit-b_pretrain.py',
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


def test_weight_decay_of_every_parameter():
    """0.05, and 0 for biases and norms, as the authors ran it."""
    cfg = offline(Config.fromfile(ROOT / 'configs/uniemox_vit-l_pretrain.py'))
    cfg.model.fusion.type = 'WeightedSumFusion'
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    wrapper = dict(cfg.optim_wrapper, type='OptimWrapper')
    del wrapper['dtype'], wrapper['loss_scale']
    optim = build_optim_wrapper(model, wrapper)
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


@pytest.mark.parametrize('path', CONFIGS, ids=IDS)
def test_no_path_of_one_machine(path: Path):
    assert "'/" not in path.read_text()
