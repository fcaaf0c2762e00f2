"""Resuming with another batch size, instead of another number of processes.

Both change the images in a step; tests/tools resumes in other processes.
"""

import math
import re

import numpy as np
import pytest
import torch

from .resumed_runs import (
    EPOCHS,
    IMAGES,
    RATE,
    assert_rates,
    closed_form,
    messages,
    run,
)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A run with batches of 4 from start to end, and its folder."""
    folder = tmp_path_factory.mktemp('whole')
    return folder, *run(folder, 4)


def test_closed_form_equals_mmengine(whole):
    assert_rates(whole[2], 6, 0)


@pytest.mark.parametrize('first', [1, 4])
@pytest.mark.parametrize('batch_size', [2, 8, 5])
def test_rates_and_count_after_a_change(whole, tmp_path, batch_size, first):
    path = whole[0] / f'epoch_{first}.pth'
    runner, seen = run(tmp_path, batch_size, resume=path)
    length = math.ceil(IMAGES / batch_size)
    assert_rates(seen, length, first)
    assert runner.iter == runner.max_iters == EPOCHS * length
    assert runner.epoch == EPOCHS


def test_change_is_logged(whole, tmp_path):
    path = whole[0] / 'epoch_4.pth'
    with messages('info') as lines:
        run(tmp_path, 8, resume=path, rate=2 * RATE)
    before, after = closed_form(6, 4)[1][0], closed_form(3, 4, 2 * RATE)[1][0]
    (line,) = [line for line in lines if 'resumes after' in line]
    numbers = re.findall(r'\d[\d.e-]*\d|\d', line)
    expected = [4, 6, 3, 8, 6, 4, 12, 24, after, before]
    assert [float(n) for n in numbers] == pytest.approx(expected, rel=1e-3)


def test_two_changes_and_back(whole, tmp_path):
    run(tmp_path, 2, until=3, resume=whole[0] / 'epoch_2.pth')
    _, seen = run(tmp_path, 4, resume=tmp_path / 'epoch_3.pth')
    assert_rates(seen, 6, 3)


def test_unchanged_run_resumes_bitwise(whole, tmp_path):
    folder, runner, rates = whole
    with messages('info') as lines:
        resumed, seen = run(tmp_path, 4, resume=folder / 'epoch_3.pth')
    assert not [line for line in lines if 'resumes after' in line]
    assert seen == rates[3 * 6 :]
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])


def test_changed_learning_rate_takes_effect(whole, tmp_path):
    path = whole[0] / 'epoch_3.pth'
    _, seen = run(tmp_path, 4, resume=path, rate=RATE / 3)
    assert_rates(seen, 6, 3, RATE / 3)


def test_schedules_by_epoch(tmp_path):
    schedule = [dict(type='MultiStepLR', milestones=[2, 4], gamma=0.1)]
    run(tmp_path, 4, until=3, param_scheduler=schedule)
    path = tmp_path / 'epoch_3.pth'
    _, seen = run(tmp_path, 8, resume=path, param_scheduler=schedule)
    expected = [RATE * 0.1] * 3 + [RATE * 0.01] * 6
    np.testing.assert_allclose([rate for _, rate in seen], expected)
    assert [i for i, _ in seen] == list(range(9, 18))


def test_accumulated_batches_count(whole, tmp_path):
    path = whole[0] / 'epoch_2.pth'
    optimizer = dict(
        optimizer=dict(type='AdamW', lr=RATE), accumulative_counts=2
    )
    runner, seen = run(tmp_path, 2, resume=path, optim_wrapper=optimizer)
    assert_rates(seen, 12, 2)
    assert runner.optim_wrapper._inner_count == 72


def test_checkpoints_without_recorded_sizes(whole, tmp_path):
    content = torch.load(whole[0] / 'epoch_4.pth', weights_only=False)
    assert content['meta'].pop('batch_size') == 4
    assert content['meta'].pop('epoch_length') == 6
    torch.save(content, tmp_path / 'old.pth')
    _, seen = run(tmp_path, 8, resume=tmp_path / 'old.pth')
    assert_rates(seen, 3, 4)


def test_loop_without_epochs_warns(tmp_path):
    loop = dict(type='IterBasedTrainLoop', max_iters=4)
    schedule = [dict(type='ConstantLR', by_epoch=False)]
    hooks = dict(
        checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False),
        resumed_schedule=dict(type='ResumedScheduleHook'),
    )
    changes = dict(
        train_cfg=loop, param_scheduler=schedule, default_hooks=hooks
    )
    run(tmp_path, 4, **changes)
    path = tmp_path / 'iter_2.pth'
    with messages('warning') as lines:
        _, seen = run(tmp_path, 2, resume=path, **changes)
    assert [i for i, _ in seen] == [2, 3]
    assert [x for x in lines if 'Batches of 2 instead of 4' in x]


def test_another_optimizer_is_refused(whole, tmp_path):
    optimizer = dict(
        optimizer=dict(type='AdamW', lr=RATE),
        paramwise_cfg=dict(bias_lr_mult=2.0),
    )
    path = whole[0] / 'epoch_2.pth'
    with pytest.raises(ValueError, match=f'{path}: .* 1 groups .* config 3'):
        run(tmp_path, 8, resume=path, optim_wrapper=optimizer)


# Other schedules than a warm-up and a cosine, or none.


def one_cycle(peak=RATE):
    cycle = dict(type='OneCycleLR', eta_max=peak, total_steps=EPOCHS)
    return [dict(cycle, convert_to_iter_based=True)]


@pytest.mark.parametrize('batch_size', [4, 8])
@pytest.mark.parametrize('peak', [RATE, RATE / 2])
def test_one_cycle_resumes(tmp_path, batch_size, peak):
    """It keeps more than the starting rate in the groups."""
    run(tmp_path, 4, param_scheduler=one_cycle())
    changed = dict(param_scheduler=one_cycle(peak))
    path = tmp_path / 'epoch_3.pth'
    with messages('info') as lines:
        _, seen = run(tmp_path / 'resumed', batch_size, resume=path, **changed)
    said = [line for line in lines if 'resumes after' in line]
    assert bool(said) == ((batch_size, peak) != (4, RATE))
    _, expected = run(tmp_path / 'whole', batch_size, **changed)
    assert seen == expected[len(expected) // 2 :]


def test_ended_schedule_is_extended(tmp_path):
    """Its end is that of the training, which is longer now."""
    run(tmp_path, 4, until=3, param_scheduler=one_cycle())
    changed = dict(param_scheduler=one_cycle())
    path = tmp_path / 'epoch_3.pth'
    _, seen = run(tmp_path / 'resumed', 4, resume=path, **changed)
    assert seen == run(tmp_path / 'whole', 4, **changed)[1][18:]


def test_a_schedule_of_betas(tmp_path):
    kind = 'CosineAnnealingMomentum'
    schedule = [dict(type=kind, T_max=EPOCHS, convert_to_iter_based=True)]
    run(tmp_path, 4, until=3, param_scheduler=schedule)
    path = tmp_path / 'epoch_3.pth'

    def betas(folder, **settings):
        runner, _ = run(tmp_path / folder, 8, until=4, **settings)
        return runner.optim_wrapper.param_groups[0]['betas']

    resumed = betas('resumed', resume=path, param_scheduler=schedule)
    assert resumed == betas('whole', param_scheduler=schedule)
    assert betas('without', resume=path) == (0.9, 0.999)


def test_without_a_schedule(tmp_path):
    run(tmp_path, 4, until=2, param_scheduler=None)
    path = tmp_path / 'epoch_2.pth'
    for batch_size, rate in ((8, RATE / 2), (4, RATE / 2), (4, RATE)):
        with messages('info') as lines:
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
        assert any('resumes after' in line for line in lines) == changed
        assert runner.iter == end


def test_schedule_added(tmp_path):
    run(tmp_path, 4, until=3, param_scheduler=None)
    _, seen = run(tmp_path, 8, resume=tmp_path / 'epoch_3.pth')
    assert_rates(seen, 3, 3)


def test_schedule_removed(tmp_path):
    run(tmp_path, 4)
    path = tmp_path / 'epoch_3.pth'
    _, seen = run(tmp_path, 4, until=4, resume=path, param_scheduler=None)
    assert seen == [(i, RATE) for i in range(18, 24)]
    with messages('info') as lines:
        run(tmp_path, 4, resume=tmp_path / 'epoch_4.pth', param_scheduler=None)
    assert not [line for line in lines if 'resumes after' in line]


def test_unscheduled_settings_stay_as_saved(tmp_path):
    run(tmp_path, 4, until=3)
    optimizer = dict(optimizer=dict(type='AdamW', lr=RATE, weight_decay=0.5))
    path = tmp_path / 'epoch_3.pth'
    runner, _ = run(tmp_path, 8, resume=path, optim_wrapper=optimizer)
    (group,) = runner.optim_wrapper.param_groups
    assert group['weight_decay'] == 0.01
