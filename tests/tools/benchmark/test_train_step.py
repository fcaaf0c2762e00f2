"""The benchmark of training steps: its numbers, and as a user runs it."""

import copy
import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import train_step
from step_variants import Variant
from train_step import markdown, measure_steps

from tests.helpers import ROOT, step_config


@pytest.fixture
def measure(monkeypatch, one_detector):
    # Large products of matrices take longer than all of this model.
    monkeypatch.setattr(train_step, 'matmul_peak', lambda device, p: 1e9)
    cpu = torch.device('cpu')
    return lambda names, **options: measure_steps(
        step_config(), names, 2, cpu, 3, 1, **options
    )


def test_known_numbers_are_saved_before_the_rest_is_tried(
    measure, monkeypatch
):
    saved = []

    def refuse(variant, device):
        raise RuntimeError('no profiler here')

    monkeypatch.setattr(train_step.probes, 'profile_gaps', refuse)
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
    result = saved[-1]
    assert (result['data_wait'], result['waits']) == (None, {})
    variants = result['variants']
    scene, mae = (np.array(variants[n]['seconds']) for n in ('scene', 'mae'))
    assert result['ratios'] == {
        'scene/mae': pytest.approx(np.percentile(scene / mae, [25, 50, 75]))
    }
    for found in variants.values():
        quartiles = np.percentile(found['seconds'], [75, 50, 25])
        assert found['images_per_second'] == pytest.approx(2 / quartiles)
        assert found['peak_ratio'] == pytest.approx(
            2 * found['multiply_adds'] / quartiles[1] / 1e9
        )
    for partial in saved:
        assert 'scene/mae' in markdown(partial)


def test_what_does_not_fit_is_left_out(measure, monkeypatch):
    step, said, too_large = Variant.step, [], {'mae'}

    def limited(self):
        if self.name in too_large:
            raise torch.OutOfMemoryError('CUDA out of memory.')
        return step(self)

    monkeypatch.setattr(Variant, 'step', limited)
    result = measure(['mae', 'scene'], log=said.append)
    assert list(result['variants']) == ['scene']
    assert result['out_of_memory'] == ['mae'] and result['ratios'] == {}
    assert any('mae does not fit' in line for line in said)
    assert 'Out of memory: mae.' in markdown(result)
    too_large.add('scene')
    with pytest.raises(ValueError, match='smaller --batch-size'):
        measure(['scene'])


def test_numbers_of_the_table():
    found = dict(precision='float32', peak_bytes=5.24e9, multiply_adds=60.2e9)
    machine = dict(
        device='A GPU',
        memory=10e9,
        cores=2,
        environment=dict(PyTorch='2.14.1'),
    )
    ours = dict(
        found, images_per_second=[1.5, 1.6, 1.7], peak_ratio=0.98, seconds=[]
    )
    mae = dict(
        ours,
        images_per_second=[2, 3, 4],
        multiply_adds=30.1e9,
        peak_bytes=None,
    )
    compiled = dict(mae, multiply_adds=None, peak_ratio=None)
    text = markdown(
        dict(
            config='configs/x.py',
            batch_size=8,
            rounds=7,
            steps=1,
            machine=machine,
            matmul_peak=dict(float32=9.6e10),
            variants=dict(ours=ours, compiled=compiled, mae=mae),
            out_of_memory=[],
            ratios={
                'compiled/ours': [1.7, 1.8, 1.9],
                'mae/ours': [0.4, 0.5, 0.6],
                'scene/mae': [0.98, 1.01, 1.04],
            },
            loss_differences=dict(loss_rec=1.5e-7),
            parts={'scene encoder': 1.5, 'optimizer': 0.5},
            step_of_parts=4.0,
            data_wait=0.0125,
            waits={'a.py:3': 2},
            gaps=dict(idle=0.031, longest=0.002),
        )
    )
    for part in (
        'A GPU, 2 cores, 10 GB, torch 2.14.1',
        '0.10 T multiply-adds',
        '| `ours` | float32 | 1.60 (1.50 to 1.70) | 98.0% | 5.2 GB | 60.2 |',
        '| 3.00 (2.00 to 4.00) |  | not measured |  | '
        '1.800 (1.700 to 1.900) |  |',
        '| 98.0% | not measured | 30.1 | 0.500 (0.400 to 0.600) | 0.50 |',
        '`scene/mae`: 1.010 (0.980 to 1.040)',
        'loss_rec 1.5e-07',
        '| scene encoder | 1500.0 | 37.5% |',
        '| sum | 2000.0 | 50.0% |',
        '| measured step | 4000.0 | 100.0% |',
        '12.5 ms a step',
        '2 x a.py:3',
        '3.1% of a step, 0.2% at a time',
    ):
        assert part in text


def run(*args):
    return subprocess.run(
        [sys.executable, 'tools/benchmark/train_step.py', *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_demo_is_measured(tmp_path):
    done = run(
        'configs/uniemox_vit-tiny_demo.py',
        *('--variants', 'ours', 'scene', 'mae'),
        *('--rounds', 1, '--batch-size', 2, '--out', tmp_path),
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / 'train_step.md').read_text()
    assert done.stdout.strip() == text.strip()
    result = json.loads((tmp_path / 'train_step.json').read_text())
    variants = result['variants']
    assert list(variants) == ['ours', 'scene', 'mae']
    assert (
        variants['mae']['multiply_adds']
        == (variants['scene']['multiply_adds'])
    )
    assert result['ratios']['mae/ours'][1] == pytest.approx(
        variants['mae']['seconds'][0] / variants['ours']['seconds'][0]
    )


@pytest.mark.parametrize(
    ('arguments', 'code', 'message'),
    [
        (['--device', 'banana'], 2, '--device banana cannot be used here'),
        (['--rounds', '0'], 2, '--rounds must be at least 1'),
        (['configs/nothing.py'], 1, 'configs/nothing.py'),
    ],
)
def test_wrong_arguments(monkeypatch, capsys, arguments, code, message):
    monkeypatch.setattr(sys, 'argv', ['train_step.py', *arguments])
    with pytest.raises(SystemExit) as error:
        train_step.main()
    assert error.value.code == code or code == 1
    assert message in capsys.readouterr().err + str(error.value)
