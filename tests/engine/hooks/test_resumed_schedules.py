"""Resuming with schedules other than a warm-up and a cosine, or with none."""

import pytest

from .resumed_runs import EPOCHS, IMAGES, RATE, assert_rates, logged, run


def one_cycle(peak=RATE):
    return [
        dict(
            type='OneCycleLR',
            eta_max=peak,
            total_steps=EPOCHS,
            convert_to_iter_based=True,
        )
    ]


@pytest.mark.parametrize('batch_size', [4, 8])
@pytest.mark.parametrize('peak', [RATE, RATE / 2])
def test_one_cycle_goes_on(tmp_path, batch_size, peak):
    """It keeps more than the starting rate in the groups."""
    run(tmp_path, 4, param_scheduler=one_cycle())
    changed = dict(param_scheduler=one_cycle(peak))
    path = tmp_path / 'epoch_3.pth'
    with logged('info') as lines:
        _, seen = run(tmp_path / 'resumed', batch_size, resume=path, **changed)
    said = [line for line in lines if 'goes on' in line]
    assert bool(said) == ((batch_size, peak) != (4, RATE))
    _, expected = run(tmp_path / 'whole', batch_size, **changed)
    assert seen == expected[len(expected) // 2 :]


def test_a_schedule_that_ended_goes_on(tmp_path):
    """Its end is that of the training, which is longer now."""
    run(tmp_path, 4, until=3, param_scheduler=one_cycle())
    changed = dict(param_scheduler=one_cycle())
    path = tmp_path / 'epoch_3.pth'
    _, seen = run(tmp_path / 'resumed', 4, resume=path, **changed)
    assert seen == run(tmp_path / 'whole', 4, **changed)[1][18:]


def test_a_schedule_of_betas(tmp_path):
    schedule = [
        dict(
            type='CosineAnnealingMomentum',
            T_max=EPOCHS,
            convert_to_iter_based=True,
        )
    ]
    run(tmp_path, 4, until=3, param_scheduler=schedule)
    path = tmp_path / 'epoch_3.pth'
    betas = [
        run(
            tmp_path / 'other',
            8,
            until=4,
            resume=start,
            param_scheduler=schedule,
        )[0].optim_wrapper.param_groups[0]['betas']
        for start in (path, None)
    ]
    assert betas[0] == betas[1]
    runner, _ = run(tmp_path / 'without', 8, until=4, resume=path)
    assert runner.optim_wrapper.param_groups[0]['betas'] == (0.9, 0.999)


def test_without_a_schedule(tmp_path):
    run(tmp_path, 4, until=2, param_scheduler=None)
    path = tmp_path / 'epoch_2.pth'
    for batch_size, rate in ((8, RATE / 2), (4, RATE / 2), (4, RATE)):
        with logged('info') as lines:
            runner, seen = run(
                tmp_path / 'resumed',
                batch_size,
                rate=rate,
                resume=path,
                param_scheduler=None,
            )
        length = IMAGES // batch_size
        start, end = 2 * length, EPOCHS * length
        assert seen == [(i, rate) for i in range(start, end)]
        changed = (batch_size, rate) != (4, RATE)
        assert any('goes on' in line for line in lines) == changed
        assert runner.iter == end


def test_with_a_schedule_from_now_on(tmp_path):
    run(tmp_path, 4, until=3, param_scheduler=None)
    _, seen = run(tmp_path, 8, resume=tmp_path / 'epoch_3.pth')
    assert_rates(seen, 3, 3)


def test_without_a_schedule_from_now_on(tmp_path):
    run(tmp_path, 4)
    path = tmp_path / 'epoch_3.pth'
    _, seen = run(tmp_path, 4, until=4, resume=path, param_scheduler=None)
    assert seen == [(i, RATE) for i in range(18, 24)]
    with logged('info') as lines:
        run(tmp_path, 4, resume=tmp_path / 'epoch_4.pth', param_scheduler=None)
    assert not [line for line in lines if 'goes on' in line]


def test_what_is_not_scheduled_stays_as_it_was_saved(tmp_path):
    run(tmp_path, 4, until=3)
    optimizer = dict(optimizer=dict(type='AdamW', lr=RATE, weight_decay=0.5))
    path = tmp_path / 'epoch_3.pth'
    runner, _ = run(tmp_path, 8, resume=path, optim_wrapper=optimizer)
    (group,) = runner.optim_wrapper.param_groups
    assert group['weight_decay'] == 0.01
