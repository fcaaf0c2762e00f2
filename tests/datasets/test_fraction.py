"""Fractions of a split, for learning curves."""

import itertools
from collections import Counter

import pytest

from tests.datasets.miniatures import (
    class_names,
    names,
    read,
    write_miniature,
)


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
