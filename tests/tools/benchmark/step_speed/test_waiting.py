import types
import warnings

import pytest
import torch
from step_speed.waiting import count_waits, gaps, profile_gaps

CPU = torch.device('cpu')


def test_our_step_never_waits(build):
    for a in build('ours', 'cached', 'checkpointed', 'scene').values():
        a.step()
        assert count_waits(a, CPU) == {}


def test_a_planted_wait_is_counted(build):
    a = build('ours')['ours']
    a.model.fusion.register_forward_hook(
        lambda module, args, out: (
            out.sum().item(),
            bool(out[0, 0] > 0),
            None,
        )[2]
    )
    assert count_waits(a, CPU) == {'aten._local_scalar_dense': 2}


def test_a_mask_is_counted_and_rows_are_not(build):
    a = build('ours')['ours']
    rows = torch.tensor([0, 1])

    def look(module, args, out):
        out[out > 0]
        out[rows]
        out.clone()[out > 0] = 0.0

    a.model.fusion.register_forward_hook(look)
    assert count_waits(a, CPU) == {'aten.index': 1, 'aten.index_put_': 1}


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

    gpu = torch.device('cuda')
    assert count_waits(types.SimpleNamespace(step=step), gpu) == {
        'torch/a.py:7': 2
    }
    quiet = types.SimpleNamespace(step=lambda: None)
    assert count_waits(quiet, gpu) == {}


class Profiler:
    """What torch's has seen: two steps of 10 us, of which 3 are idle."""

    def __init__(self, events):
        self._events = events

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def events(self):
        return self._events


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
                event(2, 9), event(0, 4), event(11, 20),
                event(0, 20, is_user_annotation=True), event(0, 30, 'CPU'),
            ],
            dict(idle=0.1, longest=0.2),
        ),
        ([event(0, 30, 'CPU')], None),  # a machine that forbids profiling
    ],
)  # fmt: skip
def test_idle_times_of_a_profile(monkeypatch, events, expected):
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda device: None)
    monkeypatch.setattr(
        torch.profiler, 'profile', lambda activities: Profiler(events)
    )
    steps = types.SimpleNamespace(step=lambda: None)
    found = profile_gaps(steps, torch.device('cuda'), 2)
    assert found == expected
    assert profile_gaps(steps, CPU) is None


def test_gaps_between_what_runs():
    busy = [(7, 8), (1, 3), (2, 5), (2.5, 4)]
    assert gaps(busy, 0, 10) == [(0, 1), (5, 7), (8, 10)]
    assert gaps(busy, 2, 7.5) == [(5, 7)]
    assert gaps([(0, 10)], 2, 5) == []
    assert gaps([], 2, 5) == [(2, 5)]
    assert gaps([(6, 9)], 2, 5) == [(2, 5)]
