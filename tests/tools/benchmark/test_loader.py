"""Formats, rounds and tables of the loader benchmark, and its command."""

import copy
import json
import os
import sys
import time
from pathlib import Path

import cv2
import loader
import numpy as np
import pytest
import torch
from loader import (
    build_loader,
    describe_format,
    markdown,
    measure_loader,
    measure_variants,
    measure_workers,
    powers_of_two,
    take_images,
)
from loader_variants import STEPS, VARIANTS, Variant
from mmengine.logging import MMLogger
from mmpretrain.registry import DATASETS
from photographs import photographs

from tests.helpers import ROOT
from uniemox_mm.datasets import EmoSet

RAW, FILES, DATABASE = 'raw JPEG', 'prepared files', 'prepared LMDB'


def test_download_is_what_was_drawn(formats):
    dataset = DATASETS.build(formats[0].config())
    for i, (content, boxes) in enumerate(photographs(4)):
        info = dataset.get_data_info(i)
        assert Path(info['img_path']).read_bytes() == content
        assert info['persons'] == boxes
    root = Path(formats[0].data_root)
    assert json.loads((root / 'train.json').read_text())[1] == [
        'awe',
        'image/awe/awe_00001.jpg',
        'annotation/awe/awe_00001.json',
    ]


def test_all_formats_have_the_same_images_and_people(formats):
    datasets = [DATASETS.build(data.config()) for data in formats]
    assert [len(dataset) for dataset in datasets] == [4, 4, 4]
    for i, short in enumerate((683, 683, 768, 768)):
        raw, files, database = (d.get_data_info(i) for d in datasets)
        assert files['persons'] == database['persons']
        np.testing.assert_allclose(
            np.reshape(raw['persons'], (-1, 5))[:, :4] * 320 / short,
            np.reshape(files['persons'], (-1, 5))[:, :4],
            atol=0.6,  # sides are rounded to whole pixels
        )


def test_description_of_formats(formats):
    raw, files, database = map(describe_format, formats)
    assert raw == dict(
        images=4,
        with_people=sum(bool(boxes) for _, boxes in photographs(4)),
        short_side=(683 + 768) / 2,
        long_side=1024,
        kilobytes=np.median([len(c) / 1000 for c, _ in photographs(4)]),
    )
    assert (files['short_side'], files['long_side']) == (320, (480 + 427) / 2)
    assert database == files  # the same content


def test_images_are_taken_evenly_spaced_and_whole(drawn, formats):
    dataset = EmoSet(str(drawn), 'train', persons='persons.json')
    found = list(take_images(dataset, 5))
    assert len(dataset) == 24
    for (content, boxes), index in zip(found, (0, 4, 9, 14, 19), strict=True):
        info = dataset.get_data_info(index)
        assert Path(info['img_path']).read_bytes() == content
        assert boxes == info['persons']
    files, database = (DATASETS.build(f.config()) for f in formats[1:])
    assert list(take_images(files, 4)) == list(take_images(database, 4))


def test_rounds_are_an_images_time(formats, pretraining, monkeypatch):
    """Each look at the clock is a second after the one before."""
    now = iter(range(10_000))
    monkeypatch.setattr(time, 'perf_counter', lambda: next(now))
    seen = []
    set_epoch = EmoSet.set_epoch
    monkeypatch.setattr(
        EmoSet, 'set_epoch', lambda s, *k: [seen.append(k), set_epoch(s, *k)]
    )
    pipeline = pretraining.train_dataloader.dataset.pipeline
    scene, both = measure_variants(
        formats[1:2], [Variant('pillow')], pipeline, 320, rounds=2
    )
    # Warming up, then every round with its own augmentation.
    assert seen == [(0, 0)] * 4 + [(0, 1)] * 2
    names = dict(format=FILES, variant='Pillow')
    # A step looks twice, and the whole, of four images, once before and
    # once after all.
    taken = {step: [1.0] * 2 for step in STEPS}
    assert both == dict(
        names, views='scene + person', seconds=dict(taken, all=[41 / 4] * 2)
    )
    taken['person'] = [0.0] * 2
    assert scene == dict(
        names, views='scene', seconds=dict(taken, all=[33 / 4] * 2)
    )


@pytest.fixture
def dataloader(pretraining):
    found = copy.deepcopy(pretraining.train_dataloader)
    found.update(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    return found


def test_batches_are_those_of_training(formats, dataloader):
    built = build_loader(dataloader, formats[1], workers=1, images=7)
    assert (built.num_workers, built.batch_size) == (1, 2)
    assert built.persistent_workers
    expected = DATASETS.build(formats[1].config(dataloader.dataset.pipeline))
    for dataset in (built.dataset.dataset, expected):
        dataset.set_epoch(0, 5)
    batches = list(built)
    assert len(batches) == 4  # of 4 images twice, which are at least 7
    for number, batch in enumerate(batches):
        for row in range(2):
            sample = expected[(2 * number + row) % 4]
            for a, b in zip(batch['inputs'], sample['inputs'], strict=True):
                np.testing.assert_array_equal(a[row], b)


def test_rates_are_images_over_seconds(formats, dataloader, monkeypatch):
    """With a clock by which each epoch takes two seconds."""
    now = iter(range(0, 1000, 2))
    monkeypatch.setattr(time, 'perf_counter', lambda: next(now))
    seen = []
    monkeypatch.setattr(
        EmoSet, 'set_epoch', lambda self, *key: seen.append(key)
    )
    # 4 batches of 2 images in an epoch of one worker.
    assert measure_workers(dataloader, formats[1:], [1], rounds=2) == [
        dict(format=FILES, workers=1, rates=[4.0, 4.0]),
        dict(format=DATABASE, workers=1, rates=[4.0, 4.0]),
    ]
    # Starting the workers, then the rounds, of both formats.
    assert seen == [(0, 0)] * 4 + [(0, 1)] * 2


def test_numbers_of_workers():
    found = [powers_of_two(n) for n in (1, 2, 6, 8)]
    assert found == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_as_many_threads_as_a_worker_has(pretraining, monkeypatch):
    seen = []

    def look(*args):
        seen.append((torch.get_num_threads(), cv2.getNumThreads()))
        return []

    monkeypatch.setattr(loader, 'measure_variants', look)
    monkeypatch.setattr(loader, 'measure_workers', look)
    torch.set_num_threads(2)
    try:
        result = measure_loader(pretraining, images=1, rounds=1, workers=[1])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == [(1, 1), (1, 1)]
    assert result['default'] == 'Pillow; torch resizes'
    assert (result['source'], result['batch_size']) == ('drawn', 64)


@pytest.mark.parametrize(
    'wrong', [dict(images=0), dict(rounds=0), dict(workers=[1, 999])]
)
def test_arguments_out_of_range(pretraining, wrong):
    cores = len(os.sched_getaffinity(0))
    with pytest.raises(ValueError, match=f'at least 1.* to {cores}, the num'):
        measure_loader(pretraining, **wrong)


def every_variant(name, one, two, **steps):
    """The same times for all variants that need no turbojpeg."""
    return [
        dict(
            format=name,
            variant=variant.name,
            views=views,
            seconds={
                **{s: [steps.get(s, 0.0)] * len(seconds) for s in STEPS},
                'all': seconds,
            },
        )
        for variant in VARIANTS
        if variant.decoder != 'turbojpeg'
        for views, seconds in (('scene', one), ('scene + person', two))
    ]


def test_numbers_of_the_tables():
    facts = dict(
        images=3, with_people=2, short_side=700, long_side=1024, kilobytes=204
    )
    steps = dict(read=0.001, decode=0.006, scene=0.003, person=0.002)
    result = dict(
        machine=dict(
            device='A Chip',
            cores=2,
            memory=None,
            environment=dict(PyTorch='2'),
            versions=dict(lmdb='1'),
        ),
        config='a.py',
        source='drawn',
        batch_size=64,
        short_side=320,
        rounds=3,
        default='Pillow; torch resizes',
        formats={RAW: facts, FILES: facts, DATABASE: facts},
        variants=[
            *every_variant(
                RAW,
                [0.010, 0.010, 0.020],
                [0.012, 0.015, 0.020],
                pack=0.001,
                **steps,
            ),
            *every_variant(FILES, [0.003] * 3, [0.004, 0.005, 0.0045]),
            *every_variant(DATABASE, [0.004] * 3, [0.008] * 3),
        ],
        workers=[dict(format=RAW, workers=2, rates=[150.0, 170.0, 160.0])],
        not_run=dict(turbojpeg='PyTurboJPEG is not installed'),
    )
    text = markdown(result)
    for line in (
        'A Chip, 2 cores, torch 2, lmdb 1',
        '| raw JPEG | 3 | 2 | 1024 x 700 | 204 |',
        '| raw JPEG | Pillow | 100 (50 to 100) | 67 (50 to 83) '
        '| 1.20 (1.00 to 1.50) |  |',
        # 12 / 4, 15 / 5 and 20 / 4.5, not the ratio of the medians.
        '| prepared files | Pillow | 333 (333 to 333) | 222 (200 to 250) '
        '| 1.50 (1.33 to 1.67) | 3.00 (3.00 to 4.44) |',
        # The rest, and the median of all.
        '| raw JPEG | Pillow | 1.00 | 6.00 | 3.00 | 2.00 | 1.00 | 2.00 '
        '| 15.00 |',
        '| raw JPEG | 2 | 160 (150 to 170) | 80 |',
        'Not run: turbojpeg, since PyTurboJPEG is not installed.',
    ):
        assert line in text
    assert text.count('| Pillow; torch resizes (the default) |') == 6
    assert text.count('(the default)') == 6
    assert '(the default)' not in markdown(dict(result, default=None))


@pytest.fixture
def run(monkeypatch):
    logger = MMLogger.get_current_instance()
    level = logger.level

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', ['loader.py', *map(str, arguments)])
        loader.main()

    yield call
    logger.setLevel(level)


def test_data_set_is_measured(drawn, tmp_path, run, capsys):
    options = (
        'train_dataloader.dataset.persons=persons.json',
        'train_dataloader.dataset.split=train',
        'train_dataloader.batch_size=2',
    )
    run(
        *('--data-root', drawn, '--images', 3, '--rounds', 2),
        *('--workers', 1, '--short-side', 48, '--out', tmp_path / 'out'),
        *('--cfg-options', *options),
    )
    found = json.loads((tmp_path / 'out/loader.json').read_text())
    text = (tmp_path / 'out/loader.md').read_text()
    assert text == markdown(found) and text in capsys.readouterr().out
    sizes = [(f['images'], f['short_side']) for f in found['formats'].values()]
    assert sizes == [(3, 64), (3, 48), (3, 48)]
    count = 8 - 2 * ('turbojpeg' in found['not_run'])
    assert len(found['variants']) == 2 * 3 * count
    for row in found['variants']:
        taken = row['seconds']
        for number, whole in enumerate(taken['all']):
            steps = sum(v[number] for k, v in taken.items() if k != 'all')
            assert 0 < steps < whole
        assert (sum(taken['person']) > 0) == (row['views'] != 'scene')
    assert [(r['format'], r['workers']) for r in found['workers']] == [
        (RAW, 1),
        (FILES, 1),
        (DATABASE, 1),
    ]


def test_other_configs_are_refused(run):
    with pytest.raises(SystemExit, match='expected that of a pretraining'):
        run(ROOT / 'configs/finetune/vit-b_uniemox_fi.py')
