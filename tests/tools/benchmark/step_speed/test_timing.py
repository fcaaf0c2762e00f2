from types import SimpleNamespace

import numpy as np
import torch
from step_speed.timing import interleave, ratio, spread


def test_all_have_a_turn_in_every_round_in_changing_order():
    done = []
    names = ['a', 'b', 'c']
    arrangements = [
        SimpleNamespace(name=n, step=lambda n=n: done.append(n)) for n in names
    ]
    seconds = interleave(arrangements, 3, 2, torch.device('cpu'))
    assert ''.join(done) == 'aabbccccbbaaaabbcc'
    assert {k: v.shape for k, v in seconds.items()} == dict.fromkeys(
        names, (3,)
    )


def test_seconds_are_of_one_step(monkeypatch):
    clock = iter(np.arange(0, 100, 3.0))
    monkeypatch.setattr('time.perf_counter', lambda: next(clock))
    one = SimpleNamespace(name='a', step=lambda: None)
    seconds = interleave([one], 2, 4, torch.device('cpu'))
    np.testing.assert_allclose(seconds['a'], [0.75, 0.75])


def test_quartiles_and_ratios():
    assert spread(np.array([5.0, 1, 3, 2, 4])) == (2.0, 3.0, 4.0)
    # Round by round: the machine was slow in the last one.
    seconds = dict(ours=np.array([1.0, 1, 10]), other=np.array([2.0, 3, 40]))
    assert ratio(seconds, 'other') == (2.5, 3.0, 3.5)
