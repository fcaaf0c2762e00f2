"""Which kernels a step calls for attention, layer by layer."""

import copy

import pytest

from tests.helpers import EMO_MAE, build, samples, views
from tests.op_counts import OpCounts

FUSED = 'aten._scaled_dot_product_flash_attention_for_cpu'
SOFTMAX = ('aten._softmax', 'aten._safe_softmax', 'aten.softmax')
PARTS = ('encoder', 'decoder', 'images', 'texts')


def step(image_heads=1, fusion='AdditionFusion', **layers):
    """Operators of a step with so many layers in each part."""
    layers = {**dict.fromkeys(PARTS, 1), **layers}
    cfg = copy.deepcopy(EMO_MAE)
    cfg['backbone']['arch']['num_layers'] = layers['encoder']
    cfg['neck']['decoder_depth'] = layers['decoder']
    towers = cfg['target_generator']['model_cfg']
    towers['vision_cfg'].update(
        layers=layers['images'], head_width=64 // image_heads
    )
    towers['text_cfg']['layers'] = layers['texts']
    cfg['fusion']['type'] = fusion
    model = build(cfg)
    with OpCounts() as ops:
        losses = model(views(), samples(4), mode='loss')
        sum(losses.values()).backward()
    return ops.calls


@pytest.mark.parametrize('part', PARTS)
def test_every_layer_calls_fused_attention_once(part):
    calls = step(**{part: 3})
    trained = 2 + 2 * (part in ('encoder', 'decoder'))
    assert calls[FUSED] == 6
    assert calls[f'{FUSED}_backward'] == trained
    assert [calls[name] for name in SOFTMAX] == [0, 0, 0]


def test_frozen_images_take_the_kernel_for_inference_where_heads_allow():
    """PyTorch has one for an even number of heads, as in ViT-B."""
    calls = step(image_heads=2, images=3)
    assert calls['aten._native_multi_head_attention'] == 3
    assert calls[FUSED] == 3
    assert [calls[name] for name in SOFTMAX] == [0, 0, 0]


def test_attention_that_is_not_fused_would_be_counted():
    """The softmax of AttentionFusion, over the two streams."""
    calls = step(fusion='AttentionFusion')
    assert [calls[name] for name in SOFTMAX] == [1, 0, 0]
