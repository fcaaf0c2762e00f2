"""A config for any dataset that trains in a second, and can be held."""

from tests.helpers import ROOT

CONFIG = f"""\
_base_ = '{ROOT}/configs/_base_/finetune.py'
custom_imports = dict(imports=['uniemox_mm', 'hold_hook'])
custom_hooks = [dict(type='HoldHook')]
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch=dict(
            embed_dims=32, num_layers=2, num_heads=4, feedforward_channels=64
        ),
        img_size=32,
        patch_size=8,
        out_type='avg_featmap',
        final_norm=False,
    ),
    head=dict(
        type='LinearClsHead',
        num_classes={{{{_base_.num_classes}}}},
        in_channels=32,
        loss={{{{_base_.soft_targets}}}},
    ),
    train_cfg={{{{_base_.mixing}}}},
)
pipeline = [dict(type='LoadEmotionImage'), dict(type='PackInputs')]
loader = dict(
    num_workers=1,
    persistent_workers=False,
    pin_memory=False,
    dataset=dict(pipeline=pipeline),
)
train_dataloader = loader
val_dataloader = loader
test_dataloader = loader
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=2, end=2)]
train_cfg = dict(max_epochs=2)
default_hooks = dict(checkpoint=dict(interval=1))
"""
# Training stops in the middle of the second epoch while a file is there, and
# is as it would be without this hook otherwise.
HOOK = """\
import os, time
from pathlib import Path
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS


@HOOKS.register_module(force=True)
class HoldHook(Hook):
    def after_train_iter(self, runner, *args, **kwargs):
        hold = Path(os.environ['HOLD'])
        if runner.epoch == 1 and hold.exists():
            hold.write_text('reached')
            time.sleep(60)
"""
