"""Start weights through MMEngine's runner."""

import logging

import pytest
import torch
from mmengine.runner import Runner

from tests.helpers import CLASSIFIER, EMO_MAE, build
from uniemox_mm.engine import EncoderWeightsHook


def runner(tmp_path, **settings):
    return Runner(
        model=CLASSIFIER,
        work_dir=str(tmp_path / 'work'),
        default_scope='mmpretrain',
        default_hooks=dict(
            encoder_weights=dict(type='EncoderWeightsHook'),
        ),
        experiment_name=tmp_path.name,
        **settings,
    )


def hook_of(run):
    return next(h for h in run.hooks if isinstance(h, EncoderWeightsHook))


@pytest.fixture
def pretraining(tmp_path):
    model = build(EMO_MAE)
    for value in model.parameters():
        value.data.normal_()
    path = tmp_path / 'epoch_3.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    return path, model.state_dict()


def test_the_encoder_arrives_and_nothing_is_complained_of(
    tmp_path, pretraining, capfd
):
    path, weights = pretraining
    run = runner(tmp_path, load_from=str(path))
    before = run.model.head.fc.weight.clone()
    run.load_or_resume()
    found = run.model.state_dict()
    qkv = 'backbone.layers.1.attn.qkv.weight'
    assert torch.equal(found[qkv], weights[qkv])
    assert torch.equal(run.model.head.fc.weight, before)
    said = capfd.readouterr()
    assert 'do not match' not in said.out + said.err
    assert 'missing keys' not in said.out + said.err
    log = next((tmp_path / 'work').rglob('*.log')).read_text()
    assert f'{path}: took 28 tensors of the backbone; fresh: ' in log


def test_what_does_not_fit_stops_the_run(tmp_path, pretraining):
    path, weights = pretraining
    del weights['backbone.cls_token']
    torch.save(dict(state_dict=weights), path)
    with pytest.raises(
        ValueError, match=r'1 key missing: backbone\.cls_token; expected'
    ) as error:
        runner(tmp_path, load_from=str(path)).load_or_resume()
    assert str(error.value).startswith(f'load_from {path}: 1 key missing')


def test_a_resumed_run_is_not_touched(tmp_path):
    source = build(CLASSIFIER)
    torch.nn.init.normal_(source.head.fc.weight)
    checkpoint = dict(state_dict=source.state_dict())
    run = runner(tmp_path, load_from='x.pth', resume=True)
    hook = hook_of(run)
    hook.after_load_checkpoint(run, checkpoint)
    assert torch.equal(
        checkpoint['state_dict']['head.fc.weight'], source.head.fc.weight
    )


def test_training_from_scratch_is_told(tmp_path, caplog):
    run = runner(tmp_path)
    hook = hook_of(run)
    with caplog.at_level(logging.WARNING):
        run.logger.addHandler(caplog.handler)
        hook.before_train(run)
    assert caplog.messages == [
        'No start weights (load_from is None): training from scratch.'
    ]
