"""Broken samples stop the run by name, or are skipped and reported."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from PIL import Image
from torch.utils.data import DataLoader

from tests.helpers import tiny_config
from uniemox_mm.datasets import BadSampleError, EmoSet


def dataset(root, **options):
    pipeline = tiny_config(root, 'unused').train_pipeline
    options = dict(caption=dict(), persons='persons.json', **options)
    return EmoSet(str(root), pipeline=pipeline, **options)


def path_of(data, index, key='img_path'):
    return Path(data.get_data_info(index)[key])


def damage(root, kind, index):
    """Break sample ``index``; return the file that a message must name."""
    data = dataset(root)
    image = path_of(data, index)
    if kind == 'truncated':
        image.write_bytes(image.read_bytes()[:-300])
    elif kind == 'one pixel':
        Image.new('RGB', (1, 1)).save(image)
    elif kind == 'text':
        image.write_text('not an image')
    elif kind == 'missing':
        image.unlink()
    elif kind == 'annotation':
        image = path_of(data, index, 'annotation')
        image.write_text('{"brightness": ')
    else:
        file = root / 'persons.json'
        content = json.loads(file.read_text())
        box = {
            'outside': [900, 0, 950, 10, 1],
            'empty': [5, 5, 5, 9, 1],
            'nan': [float('nan'), 1, 5, 9, 1],
        }[kind]
        name = image.relative_to(root).as_posix()
        for entry in content['data_list']:
            if entry['img_path'] == name:
                entry['persons'] = [box]
        file.write_text(json.dumps(content))
    return image


KINDS = [
    'truncated', 'one pixel', 'text', 'missing', 'annotation', 'outside',
    'empty', 'nan',
]  # fmt: skip


@pytest.mark.parametrize('kind', KINDS)
def test_bad_sample_is_a_named_error_or_skipped(own_drawn, kind):
    file = damage(own_drawn, kind, 3)
    with pytest.raises(BadSampleError, match=f"{file}.*sample='skip' would"):
        dataset(own_drawn)[3]
    data = dataset(own_drawn, on_bad_sample='skip')
    sample = data[3]['data_samples']
    (report,) = sample.skipped
    assert str(file) in report
    assert sample.img_path == str(path_of(data, 4))  # took its place
    assert 'skipped' not in data[2]['data_samples']


def test_the_last_sample_is_replaced_by_the_first(own_drawn):
    data = dataset(own_drawn, on_bad_sample='skip')
    path_of(data, len(data) - 1).unlink()
    sample = data[len(data) - 1]['data_samples']
    assert sample.img_path == str(path_of(data, 0))


def test_nothing_is_replaced_in_a_test(own_drawn):
    data = dataset(own_drawn, on_bad_sample='skip', test_mode=True)
    path_of(data, 3).unlink()
    with pytest.raises(BadSampleError):
        data[3]


def test_gives_up_when_everything_is_broken(own_drawn):
    data = dataset(own_drawn, on_bad_sample='skip')
    for i in range(len(data)):
        path_of(data, i).unlink()
    with pytest.raises(BadSampleError, match='16 broken samples in a row'):
        data[0]


def test_errors_of_the_pipeline_are_not_skipped_but_named(own_drawn):
    def transform(results):
        return 1 / 0

    data = EmoSet(str(own_drawn), pipeline=[transform], on_bad_sample='skip')
    name = path_of(data, 2).name
    with pytest.raises(
        RuntimeError, match=f'{name}: ZeroDivisionError in the pipeline'
    ):
        data[2]


@pytest.mark.slow
def test_a_worker_names_the_file(own_drawn):
    file = damage(own_drawn, 'truncated', 3)
    loader = DataLoader(
        dataset(own_drawn), 4, num_workers=1, collate_fn=default_collate
    )
    with pytest.raises(BadSampleError, match=str(file)):
        list(loader)


def test_a_for_loop_over_the_dataset_ends(drawn):
    assert sum(1 for _ in EmoSet(str(drawn))) == 24


def epoch(data, number, workers=0):
    data.set_epoch(7, number)
    loader = DataLoader(
        data, 4, num_workers=workers, collate_fn=default_collate
    )
    return torch.cat([torch.cat(batch['inputs']) for batch in loader])


@pytest.mark.slow
def test_augmentation_depends_on_seed_epoch_and_index_alone(drawn):
    data = dataset(drawn)
    first, second = epoch(data, 0), epoch(data, 1)
    assert not torch.equal(first, second)
    torch.manual_seed(99)
    assert torch.equal(epoch(data, 0), first)
    assert torch.equal(epoch(data, 0, workers=1), first)
    assert torch.equal(epoch(data, 1, workers=2), second)


@pytest.mark.slow
def test_living_workers_learn_of_a_new_epoch(drawn):
    data = dataset(drawn)
    expected = [epoch(data, number) for number in range(2)]
    loader = DataLoader(
        data,
        4,
        num_workers=1,
        persistent_workers=True,
        collate_fn=default_collate,
    )
    for number in range(2):
        data.set_epoch(7, number)
        found = torch.cat([torch.cat(b['inputs']) for b in loader])
        assert torch.equal(found, expected[number])


def test_seeding_a_sample_leaves_the_process_alone(drawn):
    data = dataset(drawn)
    data.set_epoch(7, 0)

    def draws(between):
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        between()
        return torch.rand(1).item(), np.random.rand(), random.random()

    assert draws(lambda: data[0]) == draws(lambda: None)
