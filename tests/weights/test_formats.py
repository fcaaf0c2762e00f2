"""Every name of the real architectures has one, and only one, of ours."""

import timm
import torch
from mmengine.config import Config

from tests.helpers import ROOT
from tests.weights.plain_mae import PlainMAE
from uniemox_mm.apis.load_model import build_model
from uniemox_mm.weights.formats import CLIP, DECODER, ENCODER, HEAD, rename

VIT_L = dict(
    grid=14,
    patch=16,
    width=1024,
    depth=24,
    heads=16,
    hidden=4096,
    inner=512,
    inner_depth=8,
    inner_heads=16,
)


def shapes(model):
    return {k: tuple(v.shape) for k, v in model.state_dict().items()}


def ours(config):
    with torch.device('meta'):
        return shapes(build_model(Config.fromfile(ROOT / config)))


def renamed(theirs, names):
    """All have a name, and no two the same."""
    out = {rename(key, names): shape for key, shape in theirs.items()}
    assert None not in out and len(out) == len(theirs)
    return out


def test_mae_vit_l_is_the_pretraining_model():
    with torch.device('meta'):
        theirs = shapes(PlainMAE(**VIT_L))
    expected = ours('configs/uniemox_vit-l_pretrain.py')
    assert renamed(theirs, {**ENCODER, **DECODER}) == expected
    assert len(theirs) == 398


def test_timms_vit_l_is_the_classifier():
    with torch.device('meta'):
        theirs = shapes(
            timm.create_model(
                'vit_large_patch16_224', num_classes=8, global_pool='avg'
            )
        )
    expected = ours('configs/finetune/vit-l_uniemox_fi.py')
    assert renamed(theirs, {**ENCODER, **HEAD}) == expected
    back = {v: k for k, v in {**ENCODER, **HEAD}.items()}
    assert renamed(expected, back) == theirs


def test_names_that_are_in_no_table():
    for key in (
        'blocks.0.norm1',
        'blocks.x.norm1.weight',
        'xblocks.0.norm1.weight',
        'blocks.0.0.norm1.weight',
        'module.cls_token',
        'blocks.0.ls1.gamma',
    ):
        assert rename(key, {**ENCODER, **HEAD, **DECODER}) is None
    key = 'transformer.resblocks.0.ln_1.weight'
    assert rename(key, CLIP) is None
    assert rename(f'visual.{key}', CLIP) == 'backbone.layers.0.ln1.weight'
