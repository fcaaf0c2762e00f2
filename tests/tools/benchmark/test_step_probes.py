"""Times, multiply-adds against a count by hand, memory and waits."""

import types
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from machine import matmul_peak
from step_probes import (
    count_waits,
    data_wait,
    interleave,
    multiply_adds,
    peak_bytes,
    profile_gaps,
    quartiles,
    time_parts,
)
from step_variants import build_variants

from tests.helpers import C3, CLASSIFIER, step_config, tiny_config

CPU, GPU = torch.device('cpu'), torch.device('cuda')
N = 4
PIXELS = 8 * 8 * 3
LENGTH, VISIBLE = 16, 4  # patches of 32 x 32 pixels, and what stays of them


def test_all_have_a_turn_in_every_round_in_changing_order():
    done = []
    variants = [
        SimpleNamespace(name=n, step=lambda n=n: done.append(n)) for n in 'abc'
    ]
    seconds = interleave(variants, 3, 2, CPU)
    assert ''.join(done) == 'aabbccccbbaaaabbcc'
    assert {k: v.shape for k, v in seconds.items()} == dict.fromkeys(
        'abc', (3,)
    )


def test_seconds_are_of_one_step(monkeypatch):
    clock = iter(np.arange(0, 100, 3.0))
    monkeypatch.setattr('time.perf_counter', lambda: next(clock))
    one = SimpleNamespace(name='a', step=lambda: None)
    seconds = interleave([one], 2, 4, CPU)
    np.testing.assert_allclose(seconds['a'], [0.75, 0.75])
    assert quartiles(np.array([5.0, 1, 3, 2, 4])) == [2.0, 3.0, 4.0]


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


def test_multiply_adds_of_one_stream(build):
    found = build('scene', 'mae', batch_size=N)
    expected = encoder(N) + decoder(N)
    assert multiply_adds(found['mae']) == expected
    assert multiply_adds(found['scene']) == expected


def test_multiply_adds_of_both_streams_with_the_teacher(build):
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


def test_multiply_adds_of_the_reference(build):
    fusion = dict(type='AdditionFusion', in_channels=C3)
    found = build('ours', 'reference', fusion=fusion)
    work = {name: multiply_adds(v) for name, v in found.items()}
    text = N * (2 * layer(77, 32, 128) + 32 * C3)
    thrown_away = decoder(N) // 3
    more = work['reference'] - work['ours'] - text - thrown_away
    # YOLOv3: 32.8 G at 416 pixels; MMDetection's is the same.
    assert 32.5e9 < more / N < 33.1e9


def test_matmul_peak_is_plausible():
    assert 1e9 < matmul_peak(CPU) < 1e13


def test_peak_memory_has_the_activations(build):
    """64 images of 17 tokens: 2 layers of the decoder alone keep 20 MB."""
    variant = build('ours', batch_size=512)['ours']
    variant.step()
    peak = peak_bytes(variant, CPU)
    assert peak is None or peak - variant.own_bytes() > 50e6


@pytest.mark.parametrize('model', [dict(), dict(head=None)])
def test_parts_of_a_step(build, model):
    ours = build('ours', **model)['ours']
    ours.step()
    parts = {
        'pixels to the device', 'scene encoder', 'person encoder',
        'decoder and L1', 'teacher', 'fusion, L2, L3', 'optimizer',
    }  # fmt: skip
    absent = {'decoder and L1'} if model else set()
    assert time_parts(ours, 1, CPU).keys() == parts - absent


def test_parts_of_a_classifier():
    cfg = step_config()
    cfg.model = CLASSIFIER
    (variant,) = build_variants(cfg, ['ours'], 6, CPU)
    parts = time_parts(variant, 1, CPU)
    assert list(parts) == ['pixels to the device', 'model', 'optimizer']


def test_texts_that_no_loss_reads_are_not_encoded(build, monkeypatch):
    distill = dict(type='CLIPSimilarityDistillLoss', similarity_weight=0.0)
    ours = build('ours', distill=distill)['ours']
    ours.step()
    teacher = type(ours.model.target_generator)
    monkeypatch.setattr(teacher, 'encode_text', None)
    assert 'teacher' in time_parts(ours, 1, CPU)


def test_data_wait_is_that_of_the_loader(build, drawn, tmp_path, monkeypatch):
    """By a clock that moves on by one second at each look."""
    ours = build('ours')['ours']
    assert data_wait(step_config(), ours, CPU, 2) is None  # no data set
    cfg = tiny_config(drawn, tmp_path)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    monkeypatch.setattr('time.perf_counter', iter(range(1000)).__next__)
    steps = []
    monkeypatch.setattr(type(ours), 'step', lambda self: steps.append(1))
    assert data_wait(cfg, ours, CPU, 3) == 1.0
    assert len(steps) == 5


def test_our_step_never_waits(build):
    for variant in build('ours', 'cached', 'checkpointed', 'scene').values():
        variant.step()
        assert count_waits(variant, CPU) == {}


def test_waits_and_masks_are_counted_and_indices_are_not(build):
    variant = build('ours')['ours']
    rows = torch.tensor([0, 1])

    def wait(module, args, out):
        out.sum().item()
        bool(out[0, 0] > 0)
        out[out > 0]
        out[rows]
        out.clone()[out > 0] = 0.0

    variant.model.fusion.register_forward_hook(wait)
    assert count_waits(variant, CPU) == {
        'aten._local_scalar_dense': 2,
        'aten.index': 1,
        'aten.index_put_': 1,
    }


def test_on_a_gpu_only_waits_are_counted(monkeypatch):
    """PyTorch warns of the mode itself too, once in a process."""
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda device: None)
    monkeypatch.setattr(torch.cuda, 'get_sync_debug_mode', lambda: 0)
    monkeypatch.setattr(
        torch.cuda,
        'set_sync_debug_mode',
        lambda mode: warnings.warn(
            'Synchronization debug mode is a prototype feature and does not '
            'yet detect all synchronizing operations',
            stacklevel=1,
        ),
    )

    def step():
        for _ in range(2):
            warnings.warn_explicit(
                'called a synchronizing CUDA operation (Triggered ...)',
                UserWarning,
                '/x/site-packages/torch/a.py',
                7,
            )

    assert count_waits(SimpleNamespace(step=step), GPU) == {'torch/a.py:7': 2}
    quiet = SimpleNamespace(step=lambda: None)
    assert count_waits(quiet, GPU) == {}


def event(start, end, device='CUDA', **more):
    return types.SimpleNamespace(
        time_range=types.SimpleNamespace(start=start, end=end),
        device_type=getattr(torch.autograd.DeviceType, device),
        **more,
    )


@pytest.mark.parametrize(
    ('events', 'expected'),
    [
        (
            [
                event(2, 9), event(0, 4), event(11, 20), event(3, 3.5),
                event(0, 20, is_user_annotation=True), event(0, 30, 'CPU'),
            ],
            dict(idle=0.1, longest=0.2),
        ),
        ([event(5, 9), event(6, 8)], dict(idle=0.0, longest=0.0)),
        ([event(0, 30, 'CPU')], None),  # a machine that forbids profiling
    ],
)  # fmt: skip
def test_idle_times_of_a_profile(monkeypatch, events, expected):
    """Of two steps."""

    class Profiler:
        def __init__(self, activities):
            self.events = lambda: events

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(torch.cuda, 'synchronize', lambda device: None)
    monkeypatch.setattr(torch.profiler, 'profile', Profiler)
    steps = SimpleNamespace(step=lambda: None)
    assert profile_gaps(steps, GPU, 2) == expected
    assert profile_gaps(steps, CPU) is None
