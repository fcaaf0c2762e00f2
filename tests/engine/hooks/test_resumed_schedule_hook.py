"""Resuming with another batch size, in place of another number of processes.

Both change the images in a step; tests/tools resumes in other processes.
"""

import math

import numpy as np
import pytest
import torch

from .resumed_runs import (
    EPOCHS,
    IMAGES,
    RATE,
    assert_rates,
    closed_form,
    logged,
    run,
)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A run with batches of 4 from start to end, and its folder."""
    folder = tmp_path_factory.mktemp('whole')
    return folder, *run(folder, 4)


def test_the_closed_form_is_what_mmengine_does(whole):
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


def test_it_says_so_in_one_line(whole, tmp_path):
    path = whole[0] / 'epoch_4.pth'
    with logged('info') as lines:
        run(tmp_path, 8, resume=path, rate=2 * RATE)
    before, after = closed_form(6, 4)[1][0], closed_form(3, 4, 2 * RATE)[1][0]
    assert [line for line in lines if 'goes on' in line] == [
        'The schedule of the config goes on after 4 of 6 epochs, in epochs '
        'of 3 iterations with 8 images each (6 with 4 before): at iteration '
        f'12 in place of 24, with learning rate {after:.4g} in place of '
        f'{before:.4g}.'
    ]


def test_two_changes_and_back(whole, tmp_path):
    run(tmp_path, 2, until=3, resume=whole[0] / 'epoch_2.pth')
    _, seen = run(tmp_path, 4, resume=tmp_path / 'epoch_3.pth')
    assert_rates(seen, 6, 3)


def test_without_a_change_nothing_differs(whole, tmp_path):
    folder, runner, rates = whole
    with logged('info') as lines:
        resumed, seen = run(tmp_path, 4, resume=folder / 'epoch_3.pth')
    assert not [line for line in lines if 'goes on' in line]
    assert seen == rates[3 * 6 :]
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])


def test_a_new_learning_rate_of_the_config_counts(whole, tmp_path):
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


def test_checkpoints_without_the_note_are_understood(whole, tmp_path):
    content = torch.load(whole[0] / 'epoch_4.pth', weights_only=False)
    assert content['meta'].pop('batch_size') == 4
    assert content['meta'].pop('epoch_length') == 6
    torch.save(content, tmp_path / 'old.pth')
    _, seen = run(tmp_path, 8, resume=tmp_path / 'old.pth')
    assert_rates(seen, 3, 4)


def test_without_epochs_it_warns(tmp_path):
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
    with logged('warning') as lines:
        _, seen = run(tmp_path, 2, resume=path, **changes)
    assert [i for i, _ in seen] == [2, 3]
    assert (
        'Batches of 2 in place of 4: iterations and learning rate go on as '
        'they were, since this hook needs epochs, one optimizer, and '
        'schedules that do not look at metrics.'
    ) in lines


def test_another_optimizer_is_refused(whole, tmp_path):
    optimizer = dict(
        optimizer=dict(type='AdamW', lr=RATE),
        paramwise_cfg=dict(bias_lr_mult=2.0),
    )
    path = whole[0] / 'epoch_2.pth'
    with pytest.raises(ValueError) as error:
        run(tmp_path, 8, resume=path, optim_wrapper=optimizer)
    assert str(error.value) == (
        f'{path}: its optimizer has 1 groups of parameters, but that of the '
        'config 3'
    )
