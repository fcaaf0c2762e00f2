"""Multiply-adds against a count by hand."""

import torch
from step_speed.work import matmul_peak, multiply_adds

from tests.helpers import C3

N = 4
PIXELS = 8 * 8 * 3
LENGTH, VISIBLE = 16, 4  # patches of 32 x 32 pixels, and what stays of them


def layer(tokens, width, inner):
    linear = tokens * width * (3 * width + width + 2 * inner)
    return linear + 2 * tokens * tokens * width


def encoder(images):
    """Forward and backward; pixels get no gradient."""
    patches = 2 * LENGTH * PIXELS * 32
    return images * (patches + 3 * 2 * layer(VISIBLE + 1, 32, 64))


def decoder(images):
    tokens = LENGTH + 1
    linear = (VISIBLE + 1) * 32 * C3 + tokens * C3 * PIXELS
    return images * 3 * (linear + 2 * layer(tokens, C3, 4 * C3))


def teacher(images):
    tokens, width = LENGTH + 1, 64
    patches = LENGTH * PIXELS * width
    return images * (
        patches + 2 * layer(tokens, width, 4 * width) + width * C3
    )


def test_scene_stream(build):
    found = build('scene', 'mae', batch_size=N)
    expected = encoder(N) + decoder(N)
    assert multiply_adds(found['mae']) == expected
    assert multiply_adds(found['scene']) == expected


def test_both_streams_with_the_teacher(build):
    """Addition has no products; L2's are of (N, C3) and (N, C3)."""
    fusion = dict(type='AdditionFusion', in_channels=C3)
    found = build('ours', 'cached', 'checkpointed', fusion=fusion)
    embeddings = 3 * 2 * N * 32 * C3
    similarities = 2 * N * N * C3 + N * N * C3  # texts get no gradient
    cached = encoder(2 * N) + decoder(N) + embeddings + similarities
    assert multiply_adds(found['cached']) == cached
    assert multiply_adds(found['ours']) == cached + teacher(N)
    again = 2 * (
        2 * N * layer(VISIBLE + 1, 32, 64) + N * layer(LENGTH + 1, C3, 4 * C3)
    )
    # Stops before the last product of a layer, which nothing needs again.
    saved = 2 * (
        2 * N * (VISIBLE + 1) * 32 * 64 + N * (LENGTH + 1) * 4 * C3**2
    )
    found = multiply_adds(found['checkpointed'])
    assert found == cached + teacher(N) + again - saved


def test_the_reference_has_more_to_do(build):
    fusion = dict(type='AdditionFusion', in_channels=C3)
    found = build('ours', 'reference', fusion=fusion)
    work = {name: multiply_adds(a) for name, a in found.items()}
    text = N * (2 * layer(77, 32, 128) + 32 * C3)
    thrown_away = decoder(N) // 3
    more = work['reference'] - work['ours'] - text - thrown_away
    # YOLOv3: 32.8 G at 416 pixels, as /work says; MMDetection's is the same.
    assert 32.5e9 < more / N < 33.1e9


def test_the_peak_is_what_a_product_reaches():
    peak = matmul_peak(torch.device('cpu'), 'float32')
    assert 1e9 < peak < 1e13
