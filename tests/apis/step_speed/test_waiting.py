import torch

from uniemox_mm.apis.step_speed.waiting import count_waits, gaps

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


def test_gaps_between_what_runs():
    busy = [(7, 8), (1, 3), (2, 5), (2.5, 4)]
    assert gaps(busy, 0, 10) == [(0, 1), (5, 7), (8, 10)]
    assert gaps(busy, 2, 7.5) == [(5, 7)]
    assert gaps([(0, 10)], 2, 5) == []
    assert gaps([], 2, 5) == [(2, 5)]
    assert gaps([(6, 9)], 2, 5) == [(2, 5)]
