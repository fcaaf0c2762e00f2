"""The linear probe, the learning curve and the baselines' weights."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import SyncBuffersHook
from mmpretrain.registry import HOOKS, MODELS
from mmpretrain.structures import DataSample

from tests.helpers import ARCH, BASELINES, ROOT, run_distributed

PROBE = ROOT / 'configs/linear_probe/vit-l_uniemox.py'


def small_probe():
    cfg = Config.fromfile(PROBE)
    cfg.model.backbone.update(
        arch=ARCH, img_size=32, patch_size=8, frozen_stages=2
    )
    cfg.model.neck.input_features = cfg.model.head.in_channels = 32
    torch.manual_seed(0)
    return MODELS.build(
        dict(cfg.model, data_preprocessor=cfg.data_preprocessor)
    )


def test_only_the_head_learns():
    model = small_probe().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    samples = [DataSample().set_gt_label(i) for i in range(6)]
    data = dict(inputs=torch.rand(6, 3, 32, 32) * 255, data_samples=samples)
    data = model.data_preprocessor(data, training=True)
    assert data['inputs'].shape == (6, 3, 32, 32)
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.1
    )
    model.loss(**data)['loss'].backward()
    optimizer.step()
    after = model.state_dict()
    changed = {k for k, v in after.items() if not torch.equal(v, before[k])}
    statistics = ('running_mean', 'running_var', 'num_batches_tracked')
    assert changed == {
        *('head.fc.weight', 'head.fc.bias'),
        *(f'neck.bn.{name}' for name in statistics),
    }
    assert model.neck.bn.affine is False


def test_linear_probing_as_mae_does_it():
    cfg = Config.fromfile(PROBE)
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer == dict(
        type='LARS', lr=0.1, momentum=0.9, weight_decay=0.0
    )
    assert cfg.train_dataloader.batch_size == 256
    assert cfg.auto_scale_lr.base_batch_size == 256
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 10)
    assert (cosine.begin, cosine.end, cosine.T_max) == (10, 90, 80)
    assert cosine.eta_min == 0.0 and cfg.train_cfg.max_epochs == 90
    assert [t.type for t in cfg.train_dataloader.dataset.pipeline] == [
        'LoadEmotionImage',
        'RandomResizedCrop',
        'RandomFlip',
        'PackInputs',
    ]
    assert cfg.model.head.loss == dict(type='CrossEntropyLoss')
    assert not cfg.model.train_cfg
    backbone = cfg.model.backbone
    assert (backbone.frozen_stages, backbone.drop_path_rate) == (24, 0.0)


def test_learning_curve_reduces_the_training_split_only(monkeypatch):
    monkeypatch.setenv('FRACTION', '0.4')
    monkeypatch.setenv('DATASET', 'heco')
    for name in ('vit-l_uniemox', 'vit-l_mae'):
        cfg = Config.fromfile(ROOT / f'configs/learning_curve/{name}.py')
        assert cfg.train_dataloader.dataset.fraction == 0.4
        assert cfg.train_dataloader.dataset.type == 'HECO'
        for split in ('val', 'test'):
            assert 'fraction' not in cfg[f'{split}_dataloader'].dataset
        assert cfg.work_dir == f'work_dirs/{name}_heco_0.4'
        assert set(cfg.env_variables) == {'FRACTION', 'DATASET'}


@pytest.mark.parametrize('name', BASELINES)
def test_baselines_use_weights_and_pixels_of_mmpretrain(name):
    cfg = Config.fromfile(ROOT / f'configs/baselines/{name}.py')
    path, _ = Config._get_cfg_path(f'mmpretrain::{BASELINES[name]}', '')
    index = (Path(path).parent / 'metafile.yml').read_text()
    assert f'{cfg.load_from}\n' in index
    source = Config.fromfile(path)
    theirs = source.get('data_preprocessor') or source.model.data_preprocessor
    if name in ('vit-b_beit', 'vit-b_cae'):  # two sets in their pretraining
        theirs = dict(mean=[127.5] * 3, std=[127.5] * 3)
    ours = cfg.data_preprocessor
    assert ours.mean == list(theirs['mean'])
    assert ours.std == list(theirs['std'])
    assert ours.to_rgb is True


def test_baselines_share_one_recipe():
    names = [path.stem for path in (ROOT / 'configs/baselines').glob('*.py')]
    assert len(names) == 11
    ours = Config.fromfile(ROOT / 'configs/finetune/vit-l_uniemox_emo8.py')
    for name in names:
        cfg = Config.fromfile(ROOT / f'configs/baselines/{name}.py')
        assert cfg.model.train_cfg.augments == ours.model.train_cfg.augments
        for key, value in ours.model.head.loss.items():
            assert cfg.model.head.loss[key] == value, name
        for part in ('optimizer', 'type', 'dtype'):
            assert cfg.optim_wrapper[part] == ours.optim_wrapper[part]
        loaders = [f'{x}_dataloader' for x in ('train', 'val', 'test')]
        for key in ('param_scheduler', 'train_cfg', *loaders):
            assert cfg[key] == ours[key], (name, key)
        checkpoint = cfg.default_hooks.checkpoint
        assert checkpoint.save_best == 'accuracy/top1'
        assert checkpoint.rule == 'greater'
        mults = cfg.optim_wrapper.paramwise_cfg
        assert mults.norm_decay_mult == mults.bias_decay_mult == 0.0


def buffers_after_an_epoch(rank, world):
    model = small_probe()
    model.neck.bn.running_mean.fill_(rank + 1.0)
    model.neck.bn.num_batches_tracked.fill_(3)
    settings = Config.fromfile(PROBE).default_hooks.sync_buffers
    hook = HOOKS.build(settings)
    assert isinstance(hook, SyncBuffersHook)
    hook.after_train_epoch(SimpleNamespace(model=model))
    assert torch.equal(model.neck.bn.running_mean, torch.full((32,), 1.5))
    assert model.neck.bn.num_batches_tracked == 3


def test_processes_validate_with_the_same_statistics():
    """Batch normalisation sees other images in each."""
    run_distributed(2, buffers_after_an_epoch)
