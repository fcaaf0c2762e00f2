"""What is measured, in which order it is known, and what is left out."""

import copy
import itertools

import numpy as np
import pytest
import torch
from step_speed import measuring
from step_speed.arrangements import Arrangement
from step_speed.parts import time_parts

from tests.tools.benchmark.step_speed.conftest import CPU, config


def measure(names, **options):
    cfg = config(**options.pop('model', {}))
    cfg.train_dataloader = dict(dataset=dict(data_root='nowhere'))
    # Large products of matrices take longer than all of this model.
    return measuring.measure_steps(cfg, names, 2, CPU, 3, 1, **options)


@pytest.fixture(autouse=True)
def small_products(monkeypatch):
    monkeypatch.setattr(measuring, 'matmul_peak', lambda device, p: 1e9)


def test_what_is_known_is_saved_before_the_rest_is_tried(monkeypatch):
    saved = []

    def refuse(arrangement, device):
        raise RuntimeError('no profiler here')

    monkeypatch.setattr(measuring, 'profile_gaps', refuse)
    with pytest.raises(RuntimeError, match='no profiler here'):
        measure(
            ['scene', 'mae'],
            save=lambda result: saved.append(copy.deepcopy(result)),
        )
    keys = [set(result) for result in saved]
    assert [new - old for old, new in itertools.pairwise(keys)] == [
        {'data_wait'},
        {'waits'},
    ]
    result = saved[0]
    seconds = {k: np.array(v) for k, v in result['seconds'].items()}
    assert result['ratios'] == {
        'scene/mae': pytest.approx(
            np.percentile(seconds['scene'] / seconds['mae'], [25, 50, 75])
        )
    }
    for row in result['rows']:
        median = np.median(seconds[row['name']])
        assert row['images_per_second'] == pytest.approx(2 / median)
        assert row['share_of_peak'] == pytest.approx(
            2 * row['multiply_adds'] / median / 1e9
        )
    assert saved[-1]['data_wait'] is None  # its images are not there
    assert saved[-1]['waits'] == {}


def test_what_does_not_fit_is_left_out(monkeypatch):
    step, said = Arrangement.step, []

    def too_large(self):
        if self.name == 'mae' or fitting == 0:
            raise torch.OutOfMemoryError('CUDA out of memory.')
        return step(self)

    monkeypatch.setattr(Arrangement, 'step', too_large)
    fitting = 1
    result = measure(['mae', 'scene'], log=said.append)
    assert [row['name'] for row in result['rows']] == ['scene']
    assert result['left_out'] == ['mae'] and result['ratios'] == {}
    assert 'mae does not fit into memory: left out' in said
    fitting = 0
    with pytest.raises(ValueError) as error:
        measure(['scene'])
    assert str(error.value) == (
        'no arrangement fits into memory: give a smaller --batch-size'
    )


@pytest.mark.parametrize(
    ('model', 'absent'),
    [
        (dict(), set()),
        (dict(head=None), {'decoder and L1'}),
    ],
)
def test_parts_of_a_step(build, model, absent):
    ours = build('ours', **model)['ours']
    ours.step()
    assert time_parts(ours, 1, CPU).keys() == {
        'pixels to the device', 'scene encoder', 'person encoder',
        'decoder and L1', 'teacher', 'fusion, L2, L3', 'optimizer',
    } - absent  # fmt: skip


def test_texts_that_no_loss_reads_are_not_encoded(build, monkeypatch):
    distill = dict(type='CLIPSimilarityDistillLoss', similarity_weight=0.0)
    ours = build('ours', distill=distill)['ours']
    ours.step()
    teacher = type(ours.model.target_generator)
    monkeypatch.setattr(teacher, 'encode_text', None)
    assert 'teacher' in time_parts(ours, 1, CPU)


def test_a_config_for_deepspeed_is_refused(build):
    cfg = config()
    cfg.optim_wrapper.type = 'DeepSpeedOptimWrapper'
    with pytest.raises(ValueError) as error:
        measuring.build_arrangements(cfg, ['ours'], 2, CPU)
    assert str(error.value) == (
        'None: steps by DeepSpeed are not measured; give the same config '
        'without it, such as configs/uniemox_vit-l_pretrain.py'
    )
