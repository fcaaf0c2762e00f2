"""The authors' arrangement computes the same, with more work."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from step_speed.agreement import GivenNoise, disagreement
from step_speed.batches import for_reference
from step_speed.reference import plain_attention
from torch.utils._python_dispatch import TorchDispatchMode

from tests.helpers import BACKBONE, C3
from tests.op_counts import OpCounts

FUSIONS = [
    'AdditionFusion',
    'WeightedSumFusion',
    'AttentionFusion',
    'GatedAttentionFusion',
]


@pytest.mark.parametrize('fusion', FUSIONS)
def test_losses_and_gradients_are_those_of_ours(build, fusion):
    found = build(
        'ours', 'reference', fusion=dict(type=fusion, in_channels=C3)
    )
    gradients = []
    for a in found.values():
        noise = torch.rand(8, 16, generator=torch.Generator().manual_seed(1))
        data = a.model.data_preprocessor(dict(a.batch), True)
        with GivenNoise(noise):
            losses = a.model.loss(**data)
        sum(losses.values()).backward()
        gradients.append(
            {
                k: p.grad
                for k, p in a.model.named_parameters()
                if p.requires_grad
            }
        )
        if a.name == 'ours':
            expected = losses
        else:
            assert losses.keys() == expected.keys()
            for name in losses:
                torch.testing.assert_close(
                    losses[name], expected[name], atol=1e-6, rtol=1e-5
                )
    ours, reference = gradients
    assert ours.keys() == reference.keys()
    for name in ours:
        torch.testing.assert_close(
            ours[name], reference[name], atol=1e-6, rtol=1e-4
        )


def test_differences_are_seen_and_weights_given_back(build):
    found = build('ours', 'reference')
    ours, reference = found['ours'], found['reference']
    with torch.no_grad():
        reference.model.backbone.cls_token.add_(1)
    before = copy.deepcopy(reference.model.state_dict())
    same = disagreement(ours, reference)
    assert same.keys() == {'loss_rec', 'loss_similarity', 'loss_feature'}
    assert max(same.values()) < 1e-5
    after = reference.model.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    views = reference.batch['inputs']
    views[0] = torch.zeros_like(views[0])  # another picture
    assert disagreement(ours, reference)['loss_rec'] > 1e-3


FUSED = 'aten._scaled_dot_product_flash_attention_for_cpu'


def softmaxes(ops):
    names = ('aten._softmax', 'aten._safe_softmax')
    return sum(ops.calls[name] for name in names)


def test_what_a_step_calls(build):
    found = build('ours', 'reference', batch_size=3)
    sizes = {}
    for name, a in found.items():
        seen = sizes[name] = []
        for part in ('backbone', 'neck'):
            getattr(a.model, part).register_forward_pre_hook(
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
    assert sizes['reference'] == [
        ('backbone', 1, 3),
        ('neck', 2, 3),
        ('backbone', 1, 3),
        ('neck', 2, 3),
    ]
    assert seen_by_detector == [(3, 3, 416, 416)]
    assert seen_by_clip == [3]
    # Encoder, decoder, teacher; and AttentionFusion over the two streams.
    assert (ours.calls[FUSED], softmaxes(ours)) == (2 + 2 + 2, 1)
    # Encoder and decoder twice, the teacher's image and text tower.
    assert (reference.calls[FUSED], softmaxes(reference)) == (0, 4 + 4 + 4 + 1)


def test_the_detector_is_no_part_of_the_model(build):
    found = build('ours', 'reference')
    ours, reference = found['ours'].model, found['reference'].model
    assert reference.state_dict().keys() == ours.state_dict().keys()
    head = reference.detector.bbox_head.test_cfg
    assert head['conf_thr'] == 0.8
    assert head['nms']['iou_threshold'] == 0.4
    assert not any(p.requires_grad for p in reference.detector.parameters())
    assert not reference.detector.training


def test_its_batch_has_captions_and_no_features(build):
    batch = build('ours')['ours'].batch
    assert 'text_feature' in batch['data_samples'][0]
    changed = for_reference(batch, torch.device('cpu'))
    assert [list(s.keys()) for s in changed['data_samples']] == [
        ['caption']
    ] * 4
    assert changed['inputs'][2].shape == (4, 3, 416, 416)
    assert changed['inputs'][0] is batch['inputs'][0]


def test_a_config_without_a_part_is_refused(build):
    with pytest.raises(ValueError) as error:
        build('reference', fusion=None, backbone=BACKBONE)
    assert str(error.value) == (
        'the reference arrangement needs all parts, but the config has no '
        'fusion'
    )


def test_plain_attention_is_the_fused_one_in_the_precision_of_the_step():
    q, k, v = torch.randn(3, 2, 4, 5, 8, requires_grad=True)
    mask = torch.randn(5, 5)
    for given in (None, mask):
        torch.testing.assert_close(
            plain_attention(q, k, v, given),
            F.scaled_dot_product_attention(q, k, v, given),
            atol=1e-6,
            rtol=1e-5,
        )
    with torch.autocast('cpu', torch.bfloat16), Dtypes() as seen:
        plain_attention(q, k, v)
    assert seen.found == [torch.bfloat16] * 2


class Dtypes(TorchDispatchMode):
    """Precisions of products; autocast may raise the softmax between."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if str(func.overloadpacket) == 'aten.bmm':
            self.found.append(args[0].dtype)
        return func(*args, **(kwargs or {}))


def test_the_detector_finds_nobody(build):
    a = build('reference')['reference']
    head = a.model.detector.bbox_head
    seen = []
    hook = head.register_forward_hook(
        lambda module, args, out: seen.append([t.numpy() for t in out[0]])
    )
    images = a.batch['inputs'][2][:2].float()
    found = a.model._find_people(images)
    hook.remove()
    assert [len(sample.pred_instances) for sample in found] == [0, 0]
    assert len(seen[0]) == 3
    for maps in seen[0]:
        each = maps.reshape(2, 3, 85, -1)
        np.testing.assert_array_equal(each[:, :, 4], -10.0)
        assert np.abs(each[:, :, 5:]).max() > 1e-3  # the rest is computed
