"""Tests that need a GPU; there: make test ARGS=tests/test_gpu.py."""

import copy

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmpretrain.structures import DataSample
from step_probes import count_waits
from step_variants import build_variants, loss_differences

from tests.detectors import SIZES, noise
from tests.engine.strategies.sharded_training import (
    OPTIMIZER,
    prepare,
    settings,
    train,
)
from tests.helpers import (
    CLASSIFIER,
    EMO_MAE,
    build,
    build_emo_mae,
    run_distributed,
    samples,
    step_config,
    views,
)
from uniemox_mm.engine.strategies import EmoFSDPStrategy
from uniemox_mm.evaluation.features import extract_features
from uniemox_mm.models import PersonDetector

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='needs a GPU'
)


AMP = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    loss_scale=dict(enabled=False),
)


def test_teacher_moves_along_and_stays_close_in_half_precision():
    teacher = build_emo_mae().target_generator
    images, captions = views(8)[0], [s.caption for s in samples(8)]
    on_cpu = teacher(images, captions)
    on_gpu = teacher.cuda()(images.cuda(), captions)
    for a, b in zip(on_cpu, on_gpu, strict=True):
        assert b.is_cuda and b.dtype == torch.float32
        cosine = torch.cosine_similarity(a, b.cpu())
        assert cosine.min() > 0.999


def test_three_amp_steps_leave_the_teacher_and_change_the_student():
    model = build_emo_mae().cuda()
    teacher = copy.deepcopy(model.target_generator.clip.state_dict())
    student = copy.deepcopy(model.state_dict())
    optim = build_optim_wrapper(
        model, dict(AMP, optimizer=dict(type='AdamW', lr=1e-3))
    )
    for _ in range(3):
        data = dict(inputs=views(8), data_samples=samples(8))
        losses = model.train_step(data, optim)
    assert all(torch.isfinite(v) for v in losses.values())
    after = model.target_generator.clip.state_dict()
    assert all(torch.equal(teacher[k], after[k]) for k in teacher)
    weight = 'backbone.layers.0.attn.qkv.weight'
    assert not torch.equal(student[weight], model.state_dict()[weight])


def test_people_are_found_where_the_cpu_finds_them(yolov3):
    detector = PersonDetector(yolov3)
    images = noise(SIZES * 4)
    on_cpu = detector(images)
    on_gpu = detector.cuda()(images)
    assert detector.device.type == 'cuda' and sum(map(len, on_cpu)) > 3
    # Convolutions in TF32 move scores over the threshold now and then.
    same = [
        len(a) == len(b) and np.allclose(a, b, rtol=1e-2, atol=1.0)
        for a, b in zip(on_cpu, on_gpu, strict=True)
    ]
    assert np.mean(same) >= 0.8


def test_a_classifier_learns_in_amp_and_predicts_as_on_the_cpu():
    """The fine-tuning recipe's loss and mixing, and extract_features."""
    settings = copy.deepcopy(CLASSIFIER)
    settings['data_preprocessor'] = dict(num_classes=8)
    settings['train_cfg'] = dict(
        augments=[
            dict(type='Mixup', alpha=0.8),
            dict(type='CutMix', alpha=1.0),
        ]
    )
    settings['head']['loss'] = dict(
        type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'
    )
    model = build(settings).cuda()
    optim = build_optim_wrapper(
        model, dict(AMP, optimizer=dict(type='AdamW', lr=1e-3))
    )
    batch = dict(
        inputs=torch.rand(8, 3, 32, 32),
        data_samples=[DataSample().set_gt_label(i) for i in range(8)],
    )
    before = model.head.fc.weight.clone()
    losses = model.train_step(copy.deepcopy(batch), optim)
    assert torch.isfinite(losses['loss'])
    assert not torch.equal(model.head.fc.weight, before)
    features, labels = extract_features(model, [copy.deepcopy(batch)])
    expected, _ = extract_features(model.cpu(), [copy.deepcopy(batch)])
    np.testing.assert_allclose(features, expected, atol=2e-2)
    assert labels.tolist() == list(range(8))


def test_the_teacher_is_in_half_precision_there_and_back_in_full_here():
    teacher = build_emo_mae().target_generator.cuda()
    towers = {
        name.startswith('visual.'): value.dtype
        for name, value in teacher.clip.named_parameters()
        if name != 'logit_scale'
    }
    assert towers == {True: torch.float16, False: torch.float32}
    teacher.cpu()
    assert teacher.clip.visual.conv1.weight.dtype == torch.float32


def test_a_step_never_waits_for_the_device():
    for variant in variants('ours', 'cached', 'scene'):
        for _ in range(2):
            variant.step()
        assert count_waits(variant, torch.device('cuda')) == {}


def test_reference_computes_the_same_losses():
    ours, reference = variants('ours', 'reference')
    assert max(loss_differences(ours, reference).values()) < 1e-4


def test_compiled_layers_compute_the_same_losses():
    found = variants('ours', 'compiled', 'checkpointed')
    losses = []
    for variant in found:
        torch.manual_seed(5)
        losses.append(variant.step())
    for name, value in losses[0].items():
        for other in losses[1:]:
            assert abs(value - other[name]) < 2e-2  # bfloat16


def variants(*names):
    return build_variants(step_config(), names, 8, torch.device('cuda'))


def fsdp_steps(rank, world, folder):
    wrapper = dict(
        type='MMFullyShardedDataParallel',
        auto_wrap_policy='wrap_transformer_layers',
    )
    strategy = EmoFSDPStrategy(
        model_wrapper=wrapper, **settings(folder, 'gpu')
    )
    losses = train(prepare(strategy, dict(OPTIMIZER, **AMP)), rank, range(3))
    assert torch.isfinite(losses).all()
    teacher = strategy.model.module.target_generator.clip
    assert {p.is_cuda for p in teacher.parameters()} == {True}
    keys = build(EMO_MAE).state_dict().keys()
    assert strategy.model_state_dict().keys() == keys
    (folder / 'done').touch()


def test_fsdp_takes_the_teacher_along(tmp_path):
    run_distributed(1, fsdp_steps, tmp_path)
    assert (tmp_path / 'done').exists()
