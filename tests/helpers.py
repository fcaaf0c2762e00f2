"""Small real models and data that many tests share."""

import copy
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

import uniemox_mm  # noqa: F401  (registers the parts)

ROOT = Path(__file__).parents[1]

ARCH = dict(embed_dims=32, num_layers=2, num_heads=4, feedforward_channels=64)
C3 = 48
BACKBONE = dict(type='DualStreamViT', arch=ARCH, img_size=32, patch_size=8)
DECODER = dict(
    type='EmoMAEDecoder',
    num_patches=16,
    patch_size=8,
    embed_dim=32,
    decoder_embed_dim=C3,
    decoder_depth=2,
    decoder_num_heads=4,
)
HEAD = dict(
    type='MAEPretrainHead',
    patch_size=8,
    loss=dict(type='PixelReconstructionLoss', criterion='L2'),
)
TEACHER = dict(
    type='CLIPTeacher',
    model='ViT-B-16',
    pretrained=None,
    model_cfg=dict(
        embed_dim=C3,
        vision_cfg=dict(image_size=32, layers=2, width=64, patch_size=8),
        text_cfg=dict(
            context_length=77, vocab_size=49408, width=32, heads=2, layers=2
        ),
    ),
)
PREPROCESSOR = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
)
EMO_MAE = dict(
    type='EmoMAE',
    data_preprocessor=PREPROCESSOR,
    backbone=BACKBONE,
    neck=DECODER,
    head=HEAD,
    fusion=dict(type='AttentionFusion', in_channels=C3),
    target_generator=TEACHER,
    distill=dict(type='CLIPSimilarityDistillLoss'),
)
CLASSIFIER_BACKBONE = dict(
    type='VisionTransformer',
    arch=ARCH,
    img_size=32,
    patch_size=8,
    out_type='avg_featmap',
    final_norm=False,
)
CLASSIFIER = dict(
    type='ImageClassifier',
    backbone=CLASSIFIER_BACKBONE,
    head=dict(type='LinearClsHead', num_classes=8, in_channels=32),
)
PROBE = dict(
    CLASSIFIER,
    backbone=dict(
        CLASSIFIER_BACKBONE,
        out_type='cls_token',
        final_norm=True,
        frozen_stages=2,
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=32),
)

# Baseline -> MMPretrain's config of its pretraining.
BASELINES = {
    'vit-l_mae': 'mae/mae_vit-large-p16_8xb512-amp-coslr-1600e_in1k.py',
    'vit-b_mocov3': (
        'mocov3/mocov3_vit-base-p16_16xb256-amp-coslr-300e_in1k.py'
    ),
    'vit-b_beit': 'beit/beit_beit-base-p16_8xb256-amp-coslr-300e_in1k.py',
    'vit-b_cae': 'cae/cae_beit-base-p16_8xb256-amp-coslr-300e_in1k.py',
    'swin-b_simmim': (
        'simmim/simmim_swin-base-w6_16xb128-amp-coslr-800e_in1k-192px.py'
    ),
    'mixmim-b': 'mixmim/mixmim_mixmim-base_16xb128-coslr-300e_in1k.py',
    'vgg-16': 'vgg/vgg16_8xb32_in1k.py',
    'resnet-50': 'resnet/resnet50_8xb32_in1k.py',
    'densenet-121': 'densenet/densenet121_4xb256_in1k.py',
    'vit-l_supervised': (
        'vision_transformer/vit-large-p16_64xb64_in1k-384px.py'
    ),
}


def build(cfg: dict, **changes) -> torch.nn.Module:
    """Build a registered part, with entries of the config replaced."""
    return MODELS.build({**copy.deepcopy(cfg), **changes})


def build_emo_mae(**changes) -> torch.nn.Module:
    """Build the tiny EmoMAE and initialise its weights, always alike."""
    torch.manual_seed(0)
    model = build(EMO_MAE, **changes)
    model.init_weights()
    return model


def views(count: int = 4) -> list[torch.Tensor]:
    """A batch of scenes and one of persons, always the same."""
    torch.manual_seed(11)
    return [torch.randn(count, 3, 32, 32) for _ in range(2)]


def samples(count: int) -> list[DataSample]:
    """Samples that differ in their captions."""
    words = ['beach', 'dog', 'angry person', 'forest', 'city', 'red ball']
    out = []
    for i in range(count):
        sample = DataSample()
        sample.set_field(f'a photo of {words[i % 6]} {i}', 'caption')
        out.append(sample)
    return out


def tiny_config(data_root: str | Path, work_dir: str | Path, **top) -> Config:
    """The demo config, shrunk further, on a drawn data set."""
    cfg = Config.fromfile(ROOT / 'configs/uniemox_vit-tiny_demo.py')
    cfg.merge_from_dict(
        {
            'work_dir': str(work_dir),
            'model.backbone.arch': ARCH,
            'model.backbone.img_size': 32,
            'model.neck.num_patches': 16,
            'model.neck.embed_dim': 32,
            'model.neck.decoder_embed_dim': C3,
            'model.fusion.in_channels': C3,
            'model.target_generator.model_cfg': TEACHER['model_cfg'],
            'model.target_generator.pretrained': None,
            'train_dataloader.batch_size': 8,
            'train_dataloader.dataset.data_root': str(data_root),
            'train_dataloader.dataset.persons': 'persons.json',
            'train_cfg.max_epochs': 3,
            'default_hooks.text_features.folder': f'{work_dir}/text_features',
            **top,
        }
    )
    del cfg.default_hooks['progress']
    for views in (cfg.train_pipeline, cfg.train_dataloader.dataset.pipeline):
        views[1].scene[0].scale = 32
        views[1].person[1].scale = (32, 32)
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = 1
    cfg.param_scheduler[1].end = 3
    cfg.param_scheduler[1].T_max = 2
    return cfg


def tiny_finetune(
    data_root: str | Path, work_dir: str | Path, **top
) -> Config:
    """The demo's fine-tuning, shrunk further, on a folder in Emo8's layout."""
    cfg = Config.fromfile(ROOT / 'configs/finetune/vit-tiny_demo.py')
    cfg.merge_from_dict(
        {
            'work_dir': str(work_dir),
            'model.backbone.arch': ARCH,
            'model.backbone.img_size': 32,
            'model.backbone.out_type': 'avg_featmap',
            'model.backbone.final_norm': False,
            'model.head.in_channels': 32,
            'train_dataloader.dataset.fraction': 1.0,
            'train_cfg.max_epochs': 3,
            'train_cfg.val_interval': 1,
            'default_hooks.checkpoint.interval': 1,
            **top,
        }
    )
    del cfg.default_hooks['progress']
    for split in ('train', 'val', 'test'):
        cfg[f'{split}_dataloader'].dataset.data_root = str(data_root)
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    train.pipeline[1].scale = 32
    for dataset in (cfg.val_dataloader.dataset, test):
        dataset.pipeline[1].scale = 36
        dataset.pipeline[2].crop_size = 32
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = 1
    cfg.param_scheduler[1].end = 3
    cfg.param_scheduler[1].T_max = 2
    return cfg


def run_distributed(world: int, function: Callable, *args) -> None:
    """Run ``function(rank, world, *args)`` in gloo processes."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(_enter, (world, port, function, args), nprocs=world)


def _enter(rank, world, port, function, args) -> None:
    os.environ.update(
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(world),
    )
    torch.set_num_threads(1)
    dist.init_process_group('gloo', rank=rank, world_size=world)
    try:
        function(rank, world, *args)
    finally:
        dist.destroy_process_group()


class Malicious:
    """Make a folder when a pickle of it is loaded as code."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.folder,)


def step_config(**model) -> Config:
    """A config for the benchmark of training steps, of the tiny model."""
    optimizer = dict(type='AdamW', lr=1e-3, fused=True)
    return Config(
        dict(
            model={**copy.deepcopy(EMO_MAE), **model},
            optim_wrapper=dict(
                type='AmpOptimWrapper',
                dtype='bfloat16',
                loss_scale=dict(enabled=False),
                optimizer=optimizer,
            ),
            train_dataloader=dict(dataset=dict(data_root='nowhere')),
        )
    )


def without_amp(cfg: Config, **optimizer) -> dict:
    """A config's optimizer, in float32."""
    wrapper = dict(cfg.optim_wrapper, type='OptimWrapper')
    del wrapper['dtype'], wrapper['loss_scale']
    return dict(wrapper, optimizer=dict(wrapper['optimizer'], **optimizer))


def environment() -> dict[str, str]:
    """Variables for a command of this checkout, in one thread."""
    python = Path(sys.executable).parent
    return {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'PATH': f'{python}{os.pathsep}{os.environ["PATH"]}',
        'PYTHONPATH': str(ROOT),
    }


def execute(*command) -> subprocess.CompletedProcess:
    """Run a command from the root of the repository."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )


class PublishedClip(nn.Module):
    """CLIP's weights in a TorchScript module, half precision, with sizes."""

    def __init__(self, clip):
        super().__init__()
        for name, child in clip.named_children():
            self.add_module(name, _Parameters(child))
        for name, parameter in clip.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, size in (
            ('input_resolution', 32),
            ('context_length', 77),
            ('vocab_size', 49408),
        ):
            self.register_buffer(name, torch.tensor(size))

    def forward(self, x):
        return x


class _Parameters(nn.Module):
    """A module's parameters and children without its code."""

    def __init__(self, source):
        super().__init__()
        for name, child in source.named_children():
            self.add_module(name, _Parameters(child))
        for name, parameter in source.named_parameters(recurse=False):
            self.register_parameter(name, parameter)

    def forward(self, x):
        return x


def numpy_nms(boxes, scores, iou_threshold, offset=0):
    """Non-maximum suppression from its definition, in float64."""
    boxes, scores = np.float64(boxes), np.float64(scores)
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1 + offset) * (y2 - y1 + offset)
    keep = []
    for i in np.argsort(-scores, kind='stable'):
        for j in keep:
            wide = min(x2[i], x2[j]) - max(x1[i], x1[j]) + offset
            high = min(y2[i], y2[j]) - max(y1[i], y1[j]) + offset
            shared = max(wide, 0) * max(high, 0)
            if shared / (area[i] + area[j] - shared) > iou_threshold:
                break
        else:
            keep.append(i)
    return keep
