"""Fractions, broken samples, seeds and lists of any dataset."""

import gc
import itertools
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from PIL import Image
from torch.utils.data import DataLoader

from tests.datasets.miniatures import class_names, names, read, write_miniature
from tests.helpers import tiny_config
from uniemox_mm.datasets import FI, BadSampleError, EmoSet
from uniemox_mm.datasets.base_emotion import collection_paused


@pytest.mark.parametrize('enabled', [True, False])
def test_collection_is_as_before(enabled):
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(KeyError), collection_paused():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_paths_are_below_the_root_or_absolute(tmp_path):
    entries = [
        dict(img_path='image/a.jpg', gt_label=1, width=3),
        dict(img_path='/elsewhere/b.jpg', gt_label=0),
    ]
    dataset = FI(f'{tmp_path}/', lazy_init=True)
    rows = dataset._openmmlab_rows(
        tmp_path / 'train.json', dict(data_list=entries)
    )
    assert rows == [
        dict(img_path=f'{tmp_path}/image/a.jpg', gt_label=1, width=3),
        dict(img_path='/elsewhere/b.jpg', gt_label=0),
    ]


@pytest.mark.parametrize(
    ('caption', 'kept'),
    [
        (None, {'attributes', 'caption'}),  # somebody else may read them
        (dict(emotion=True), {'caption'}),  # it is in the file
        (dict(emotion=False), {'attributes'}),  # it is written from them
    ],
)
def test_attributes_are_kept_where_something_reads_them(
    own_drawn, caption, kept
):
    image = 'image/awe/awe_00000.jpg'
    entry = dict(
        img_path=image,
        gt_label=1,
        attributes=dict(scene='beach'),
        caption='A photo that evokes awe, taken on a beach.',
    )
    content = dict(
        metainfo=dict(caption=dict(emotion=True)), data_list=[entry]
    )
    (own_drawn / 'made.json').write_text(json.dumps(content))
    dataset = EmoSet(str(own_drawn), split='made', caption=caption)
    info = dataset.get_data_info(0)
    assert info.keys() & {'attributes', 'caption'} == kept
    if caption == dict(emotion=False):
        assert dataset[0]['caption'] == 'A photo, taken on a beach.'
    elif caption:
        assert dataset[0]['caption'] == entry['caption']


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """FI with 33 images a class, of which 26 or 27 are for training."""
    return write_miniature('FI', tmp_path_factory.mktemp('fi'), 33, size=4)


def part(root, fraction, seed=0, split='train'):
    return read('FI', root, split, fraction=fraction, seed=seed)


@pytest.mark.parametrize('fraction', [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.9])
def test_each_class_keeps_its_fraction(root, fraction):
    whole = Counter(class_names(part(root, 1)).values())
    found = Counter(class_names(part(root, fraction)).values())
    assert set(whole.values()) == {26}  # 33 x 0.8 = 26.4
    assert set(found) == set(whole)
    for count in found.values():
        assert abs(count - max(1, fraction * 26)) <= 0.5


def test_few_images_are_kept_in_order(root):
    whole, few = (names(part(root, fraction)) for fraction in (1, 0.2))
    assert len(few) == 8 * 5  # 5.2
    assert few == [name for name in whole if name in few]


def test_the_seed_chooses_them(root):
    few = [names(part(root, 0.2, seed)) for seed in (0, 0, 1, 2)]
    assert few[0] == few[1]
    assert len({tuple(names) for names in few}) == 3


def test_a_smaller_fraction_is_part_of_a_larger_one(root):
    nested = [
        set(names(part(root, fraction, seed=3)))
        for fraction in (0.01, 0.1, 0.2, 0.5, 0.8, 1)
    ]
    for small, large in itertools.pairwise(nested):
        assert small < large


def test_other_splits_are_not_in_it(root):
    test = set(names(part(root, 1, split='test')))
    assert not test & set(names(part(root, 0.5)))
    assert set(names(part(root, 0.5, split='test'))) < test


@pytest.mark.parametrize('fraction', [0, -0.1, 1.01])
def test_wrong_fractions_are_refused(root, fraction):
    with pytest.raises(ValueError, match=f'fraction .* is {fraction}'):
        part(root, fraction)


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
