import copy
import os
import time

import cv2
import numpy as np
import pytest
import torch
from loader_speed import benchmark, measure_loader
from loader_speed.benchmark import powers_of_two
from loader_speed.worker_speed import build_loader, measure_workers
from mmpretrain.registry import DATASETS

from uniemox_mm.datasets import EmoSet


@pytest.fixture
def dataloader(config):
    found = copy.deepcopy(config.train_dataloader)
    found.update(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    return found


def test_batches_are_those_of_training(forms, dataloader):
    loader = build_loader(dataloader, forms[1], workers=1, images=7)
    assert (loader.num_workers, loader.batch_size) == (1, 2)
    assert loader.persistent_workers
    assert loader.pin_memory == torch.cuda.is_available()
    pipeline = list(dataloader.dataset.pipeline)
    expected = DATASETS.build(forms[1].config(pipeline))
    for dataset in (loader.dataset.dataset, expected):
        dataset.set_epoch(0, 5)
    batches = list(loader)
    assert len(batches) == 4  # of 4 images twice, which are at least 7
    for number, batch in enumerate(batches):
        for row in range(2):
            sample = expected[(2 * number + row) % 4]
            for ours, theirs in zip(
                batch['inputs'], sample['inputs'], strict=True
            ):
                np.testing.assert_array_equal(ours[row], theirs)


def test_rates_are_images_over_seconds(forms, dataloader, monkeypatch):
    """With a clock by which each epoch takes two seconds."""
    now = iter(range(0, 1000, 2))
    monkeypatch.setattr(time, 'perf_counter', lambda: next(now))
    seen = []
    monkeypatch.setattr(
        EmoSet, 'set_epoch', lambda self, *key: seen.append(key)
    )
    rows = measure_workers(dataloader, forms[1:], [1], rounds=2)
    # 4 batches of 2 images in an epoch of one worker.
    assert rows == [
        dict(form='prepared files', workers=1, rates=[4.0, 4.0]),
        dict(form='prepared LMDB', workers=1, rates=[4.0, 4.0]),
    ]
    # Starting the workers, then the rounds, of both forms.
    assert seen == [(0, 0), (0, 0), (0, 0), (0, 0), (0, 1), (0, 1)]


def test_numbers_of_workers():
    assert [powers_of_two(n) for n in (1, 2, 6, 8)] == [
        [1],
        [1, 2],
        [1, 2, 4, 6],
        [1, 2, 4, 8],
    ]


def test_as_many_threads_as_a_worker_has(config, monkeypatch):
    seen = []

    def look(*args):
        seen.append((torch.get_num_threads(), cv2.getNumThreads()))
        return []

    monkeypatch.setattr(benchmark, 'measure_variants', look)
    monkeypatch.setattr(benchmark, 'measure_workers', look)
    torch.set_num_threads(2)
    try:
        result = measure_loader(config, images=1, rounds=1, workers=[1])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == [(1, 1), (1, 1)]
    assert list(result) == [
        'machine',
        'settings',
        'forms',
        'variants',
        'workers',
        'not_run',
    ]
    assert result['settings'] == dict(
        config='uniemox_vit-b_pretrain.py',
        images='drawn',
        batch_size=64,
        short_side=320,
        rounds=1,
        way='Pillow; torch resizes',
    )
    assert result['machine']['cores'] == len(os.sched_getaffinity(0))
    assert (
        result['machine']['versions']['torch']
        == (torch.__version__.partition('+')[0])
    )


@pytest.mark.parametrize(
    'wrong', [dict(images=0), dict(rounds=0), dict(workers=[1, 999])]
)
def test_arguments_out_of_range(config, wrong):
    cores = len(os.sched_getaffinity(0))
    given = {**dict(images=4, rounds=2, workers=[1]), **wrong}
    with pytest.raises(ValueError) as error:
        measure_loader(config, **given)
    assert str(error.value) == (
        'images, rounds and short_side must be at least 1, and workers 1 to '
        f'{cores}, the number of cores, but they are {given["images"]}, '
        f'{given["rounds"]}, 320 and {given["workers"]}'
    )
