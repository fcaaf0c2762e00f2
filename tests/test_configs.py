"""Every config parses, has a header, and its model builds."""

import ast
import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS, TRANSFORMS
from torch import nn

from tests.helpers import CLASSIFIER, ROOT, build, without_amp
from uniemox_mm.engine.runners import check_strategy
from uniemox_mm.models.detectors.load_detector import import_mmdet

CONFIGS = sorted((ROOT / 'configs').glob('[!_]*.py')) + sorted(
    (ROOT / 'configs').glob('[!_]*/*.py')
)
IDS = [path.relative_to(ROOT / 'configs').as_posix() for path in CONFIGS]


def offline(cfg):
    """Replace weights that would be downloaded by random ones."""
    if 'target_generator' in cfg.model:
        cfg.model.target_generator.pretrained = None
    return cfg


def build_pretrain(name, changes=None):
    cfg = offline(Config.fromfile(ROOT / 'configs' / name))
    cfg.merge_from_dict(changes or {})
    with torch.device('meta'):
        return cfg, MODELS.build(cfg.model)


def test_there_are_configs():
    kinds = ('vit-l', 'vit-b', 'vit-h')
    names = {f'uniemox_{kind}_pretrain.py' for kind in kinds}
    names |= {f'uniemox_vit-l_pretrain_{x}.py' for x in ('deepspeed', 'fsdp')}
    assert names | {'uniemox_vit-tiny_demo.py'} <= set(IDS)


@pytest.mark.parametrize('path', CONFIGS, ids=IDS)
def test_header_and_paths(path):
    text = path.read_text()
    header = ast.get_docstring(ast.parse(text))
    for part in ('Run:', 'Hardware:', 'Score:'):
        assert part in header
    assert path.relative_to(ROOT).as_posix() in header
    assert "'/" not in text  # a path of one machine


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


def test_vit_l_pretrain_is_the_papers():
    cfg, model = build_pretrain('uniemox_vit-l_pretrain.py')
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


def test_vit_h_pretrain_is_maes():
    """ViT-H/14 of MAE, with its decoder over 16 x 16 patches."""
    _, model = build_pretrain('uniemox_vit-h_pretrain.py')
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
def test_sharded_configs_differ_in_the_strategy_alone(kind):
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
    fusion = {'model.fusion.type': 'WeightedSumFusion'}
    cfg, model = build_pretrain('uniemox_vit-l_pretrain.py', fusion)
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
def test_fused_optimizer_equals_unfused(name):
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
