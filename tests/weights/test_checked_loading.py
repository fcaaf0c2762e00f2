import pytest
import torch
from mmengine.runner import load_checkpoint

from tests.helpers import ARCH, BACKBONE, EMO_MAE, build
from uniemox_mm.weights import checked_loading


def save(tmp_path, weights):
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=weights), path)
    return str(path)


def test_encoder_only_weights_leave_the_rest_fresh(tmp_path, monkeypatch):
    source, model = build(EMO_MAE), build(EMO_MAE)
    with torch.no_grad():
        source.backbone.cls_token.fill_(2)
    weights = {
        k: v
        for k, v in source.state_dict().items()
        if k.startswith('backbone.')
    }
    before = model.fusion.scene_score.weight.clone()
    logged = []
    monkeypatch.setattr(
        checked_loading, 'print_log', lambda text, **_: logged.append(text)
    )
    load_checkpoint(model, save(tmp_path, weights))
    assert (model.backbone.cls_token == 2).all()
    assert torch.equal(model.fusion.scene_score.weight, before)
    assert logged == ['Not in the checkpoint, starting fresh: fusion, neck']


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (
            lambda w: w.pop('backbone.layers.1.attn.qkv.weight'),
            '1 key missing: backbone.layers.1.attn.qkv.weight',
        ),
        (
            lambda w: w.pop('fusion.bias'),
            '1 key missing: fusion.bias',
        ),
        (
            lambda w: w.update({'head.weight': torch.zeros(1)}),
            '1 key unexpected: head.weight',
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, damage, message):
    model = build(EMO_MAE)
    weights = dict(model.state_dict())
    damage(weights)
    with pytest.raises(ValueError, match=message):
        load_checkpoint(model, save(tmp_path, weights))


def test_another_architecture_is_refused_before_anything_is_loaded(tmp_path):
    model = build(EMO_MAE)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    wide = dict(ARCH, feedforward_channels=96)
    other = build(EMO_MAE, backbone=dict(BACKBONE, arch=wide))
    with pytest.raises(
        ValueError,
        match=r'of another shape: .*ffn.*: checkpoint \(96, 32\), model '
        r'\(64, 32\)',
    ):
        load_checkpoint(model, save(tmp_path, other.state_dict()))
    after = model.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_names_of_other_projects_are_recognised(tmp_path):
    weights = {'blocks.0.attn.qkv.weight': torch.zeros(96, 32)}
    with pytest.raises(ValueError, match='of other projects first'):
        load_checkpoint(build(EMO_MAE), save(tmp_path, weights))
