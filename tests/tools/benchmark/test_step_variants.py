"""Variants compute the same; the reference does more work for it."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models import MAE
from step_variants import (
    VARIANTS,
    GivenNoise,
    build_variants,
    loss_differences,
    plain_attention,
)
from torch.utils._python_dispatch import TorchDispatchMode

from tests.helpers import C3, CLASSIFIER, step_config
from tests.op_counts import OpCounts

CPU = torch.device('cpu')


def test_all_start_from_the_same_weights(build):
    found = build(*VARIANTS)
    assert list(found) == list(VARIANTS)
    ours = found['ours'].model.state_dict()
    for name, variant in found.items():
        for key, value in variant.model.state_dict().items():
            assert torch.equal(value, ours[key]), (name, key)
    assert type(found['mae'].model) is MAE
    assert found['reference'].model.state_dict().keys() == ours.keys()


def test_optimizers_and_batches(build):
    found = build('ours', 'cached', 'reference', 'mae')
    fused = {
        k: v.optim_wrapper.optimizer.defaults['fused']
        for k, v in found.items()
    }
    assert fused == dict(ours=True, cached=True, reference=None, mae=True)
    assert {v.precision for v in found.values()} == {'float32'}
    fields = {
        k: set(v.batch['data_samples'][3].keys()) for k, v in found.items()
    }
    assert fields == dict(
        ours={'caption', 'text_feature'},
        cached={'caption', 'text_feature', 'image_feature'},
        reference={'caption'},
        mae=set(),
    )
    ours, reference = found['ours'].batch, found['reference'].batch
    assert reference['inputs'][0] is ours['inputs'][0]
    assert reference['inputs'][2].shape == (4, 3, 416, 416)
    assert found['mae'].batch['inputs'] is ours['inputs'][0]


def test_scene_and_stock_mae_have_the_same_loss(build):
    losses = []
    for variant in build('scene', 'mae').values():
        torch.manual_seed(3)
        losses.append(variant.step()['loss'])
    assert torch.equal(*losses)


def test_cached_features_replace_the_teacher(build):
    variant = build('cached')['cached']
    seen = []
    variant.model.target_generator.clip.visual.register_forward_hook(
        lambda *_: seen.append(1)
    )
    variant.step()
    assert seen == []


def test_own_bytes(build):
    variant = build('ours')['ours']
    variant.step()
    model, clip = variant.model, variant.model.target_generator.clip
    trained = [p for p in model.parameters() if p.requires_grad]
    count = sum(p.numel() for p in model.parameters())
    count += sum(b.numel() for b in model.buffers())
    count += sum(t.numel() for t in clip.parameters())
    moments = 2 * sum(p.numel() for p in trained) + len(trained)
    extra = sum(b.numel() * b.element_size() for b in clip.buffers())
    assert variant.own_bytes() == 4 * (count + moments) + extra


def test_classifier_has_one_variant():
    cfg = step_config()
    cfg.model = CLASSIFIER
    (variant,) = build_variants(cfg, ['ours'], 6, CPU)
    before = variant.model.head.fc.weight.clone()
    assert torch.isfinite(variant.step()['loss'])
    assert not torch.equal(before, variant.model.head.fc.weight)
    with pytest.raises(ValueError, match=r'ImageClassifier.*--variants ours'):
        build_variants(cfg, ['ours', 'mae'], 6, CPU)


def test_impossible_configs_are_refused(build):
    with pytest.raises(ValueError, match=r"'reference'.*has no fusion"):
        build('reference', fusion=None)
    cfg = step_config()
    cfg.optim_wrapper.type = 'DeepSpeedOptimWrapper'
    with pytest.raises(ValueError, match='DeepSpeed cannot be measured'):
        build_variants(cfg, ['ours'], 2, CPU)


@pytest.mark.parametrize(
    'fusion',
    [
        'AdditionFusion',
        'WeightedSumFusion',
        'AttentionFusion',
        'GatedAttentionFusion',
    ],
)
def test_reference_has_our_losses_and_gradients(build, fusion):
    found = build(
        'ours', 'reference', fusion=dict(type=fusion, in_channels=C3)
    )
    noise = torch.rand(8, 16, generator=torch.Generator().manual_seed(1))
    losses, gradients = [], []
    for variant in found.values():
        data = variant.model.data_preprocessor(dict(variant.batch), True)
        with GivenNoise(noise):
            losses.append(variant.model.loss(**data))
        sum(losses[-1].values()).backward()
        gradients.append(
            {
                k: p.grad
                for k, p in variant.model.named_parameters()
                if p.requires_grad
            }
        )
    torch.testing.assert_close(losses[1], losses[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        gradients[1], gradients[0], atol=1e-6, rtol=1e-4
    )


def test_loss_differences_are_seen_and_weights_restored(build):
    found = build('ours', 'reference')
    ours, reference = found['ours'], found['reference']
    with torch.no_grad():
        reference.model.backbone.cls_token.add_(1)
    before = copy.deepcopy(reference.model.state_dict())
    same = loss_differences(ours, reference)
    assert same.keys() == {'loss_rec', 'loss_similarity', 'loss_feature'}
    assert max(same.values()) < 1e-5
    after = reference.model.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    views = reference.batch['inputs']
    views[0] = torch.zeros_like(views[0])  # another picture
    assert loss_differences(ours, reference)['loss_rec'] > 1e-3


FUSED = 'aten._scaled_dot_product_flash_attention_for_cpu'


def softmaxes(ops):
    return sum(ops.calls[f'aten.{n}'] for n in ('_softmax', '_safe_softmax'))


def test_calls_of_a_step(build):
    found = build('ours', 'reference', batch_size=3)
    sizes = {}
    for name, variant in found.items():
        seen = sizes[name] = []
        for part in ('backbone', 'neck'):
            getattr(variant.model, part).register_forward_pre_hook(
                lambda module, args, part=part, seen=seen: seen.append(
                    (part, len(args), len(args[0]))
                )
            )
    model = found['reference'].model
    seen_by_detector, seen_by_clip = [], []
    model.detector.backbone.register_forward_pre_hook(
        lambda module, args: seen_by_detector.append(tuple(args[0].shape))
    )
    model.target_generator.clip.transformer.register_forward_pre_hook(
        lambda module, args: seen_by_clip.append(len(args[0]))
    )
    with OpCounts() as ours:
        found['ours'].step()
    with OpCounts() as reference:
        found['reference'].step()
    assert sizes['ours'] == [('backbone', 2, 3), ('neck', 2, 3)]
    assert sizes['reference'] == [('backbone', 1, 3), ('neck', 2, 3)] * 2
    assert seen_by_detector == [(3, 3, 416, 416)]
    assert seen_by_clip == [3]
    # Encoder, decoder, teacher; and AttentionFusion over the two streams.
    assert (ours.calls[FUSED], softmaxes(ours)) == (2 + 2 + 2, 1)
    # Encoder and decoder twice, the teacher's image and text tower.
    assert (reference.calls[FUSED], softmaxes(reference)) == (0, 4 + 4 + 4 + 1)


def test_detector_is_frozen_and_finds_nobody(build):
    variant = build('reference')['reference']
    detector = variant.model.detector
    assert not any(p.requires_grad for p in detector.parameters())
    assert not detector.training
    head = detector.bbox_head
    assert head.test_cfg['conf_thr'] == 0.8
    assert head.test_cfg['nms']['iou_threshold'] == 0.4
    seen = []
    hook = head.register_forward_hook(
        lambda module, args, out: seen.extend(t.numpy() for t in out[0])
    )
    images = variant.batch['inputs'][2][:2].float()
    found = variant.model.find_people(images)
    hook.remove()
    assert [len(sample.pred_instances) for sample in found] == [0, 0]
    assert len(seen) == 3
    for maps in seen:
        each = maps.reshape(2, 3, 85, -1)
        np.testing.assert_array_equal(each[:, :, 4], -10.0)
        assert np.abs(each[:, :, 5:]).max() > 1e-3  # the rest is computed


class Dtypes(TorchDispatchMode):
    """Precisions of products; autocast may raise the softmax between."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if str(func.overloadpacket) == 'aten.bmm':
            self.found.append(args[0].dtype)
        return func(*args, **(kwargs or {}))


def test_plain_attention_equals_fused_in_the_precision_of_the_step():
    q, k, v = torch.randn(3, 2, 4, 5, 8, requires_grad=True)
    for mask in (None, torch.randn(5, 5)):
        torch.testing.assert_close(
            plain_attention(q, k, v, mask),
            F.scaled_dot_product_attention(q, k, v, mask),
            atol=1e-6,
            rtol=1e-5,
        )
    with torch.autocast('cpu', torch.bfloat16), Dtypes() as seen:
        plain_attention(q, k, v)
    assert seen.found == [torch.bfloat16] * 2
