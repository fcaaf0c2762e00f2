"""Whole numbers of images by shares, and which images."""

import itertools
from collections import Counter
from fractions import Fraction

import pytest

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.datasets.splitting import apportion, split_images

SHARES = dict(train=0.7, val=0.1, test=0.2)


def best_division(count, percent):
    """Of all divisions the one that is nearest to the exact shares.

    Nearest in its largest and then in its mean square deviation; of equally
    near ones that with the most images in the larger shares.
    """
    exact = [Fraction(count * share, 100) for share in percent]
    by_size = sorted(range(len(percent)), key=lambda i: -percent[i])

    def merit(division):
        off = [abs(n - e) for n, e in zip(division, exact, strict=True)]
        more = [-division[i] for i in by_size]
        return max(off), sum(x * x for x in off), more

    heads = itertools.product(range(count + 1), repeat=len(percent) - 1)
    divisions = [(*h, count - sum(h)) for h in heads if sum(h) <= count]
    best = min(divisions, key=merit)
    assert merit(best)[0] < 1
    return best


@pytest.mark.parametrize(
    'percent',
    [(70, 10, 20), (80, 5, 15), (80, 10, 10), (66, 34), (34, 66), (100,)],
)
def test_every_number_is_divided_as_well_as_can_be(percent):
    shares = {f'part {i}': p / 100 for i, p in enumerate(percent)}
    for count in range(61):
        division = apportion(count, shares)
        assert list(division) == list(shares)
        assert tuple(division.values()) == best_division(count, percent)


@pytest.mark.parametrize(
    ('count', 'shares', 'expected'),
    [
        (10, (0.7, 0.1, 0.2), [7, 1, 2]),
        (90, (0.7, 0.1, 0.2), [63, 9, 18]),  # in floats just below 63
        (1, (0.7, 0.1, 0.2), [1, 0, 0]),
        (5, (0.7, 0.1, 0.2), [4, 0, 1]),  # a tie of 3.5 and 0.5
        (5, (0.8, 0.1, 0.1), [4, 1, 0]),  # a tie of two equal shares
        (1980, (0.7, 0.1, 0.2), [1386, 198, 396]),
        (23308, (0.8, 0.05, 0.15), [18647, 1165, 3496]),
        (9385, (0.7, 0.1, 0.2), [6570, 938, 1877]),
        (3, (1 / 3, 1 / 3, 1 / 3), [1, 1, 1]),
    ],
)
def test_divisions_by_hand(count, shares, expected):
    named = dict(zip(('train', 'val', 'test'), shares, strict=True))
    assert list(apportion(count, named).values()) == expected


def images(count, **more):
    return [LabelledImage(f'{i:02d}.jpg', 0, **more) for i in range(count)]


def names(split):
    return [image.name for image in split]


def test_splits_of_a_seed_never_change():
    """Published results depend on them: a failure here breaks them all."""
    given = [*images(10, stratum='joy'), *images(10, stratum='awe')]
    digits = {
        split: ' '.join(f'{i.stratum}{i.name[1]}' for i in found)
        for split, found in split_images(given, {'': SHARES}, 42).items()
    }
    # awe is drawn first, as 5 6 0 7 3 2 4, 9, 1 8; then joy as
    # 4 8 2 6 5 9 7, 3, 0 1.
    assert digits == dict(
        train='joy2 joy4 joy5 joy6 joy7 joy8 joy9 '
        'awe0 awe2 awe3 awe4 awe5 awe6 awe7',
        val='joy3 awe9',
        test='joy0 joy1 awe1 awe8',
    )


def test_images_keep_their_order_and_their_rows():
    given = images(40, stratum='joy')[::-1]
    divided = split_images(given, {'': SHARES}, 0)
    assert list(divided) == ['train', 'val', 'test']
    for split in divided.values():
        assert names(split) == sorted(names(split), reverse=True)
    found = [image for split in divided.values() for image in split]
    assert sorted(found, key=lambda i: i.name) == given[::-1]


def test_seeds_choose_others():
    given = images(40, stratum='joy')
    vals = [
        tuple(names(split_images(given, {'': SHARES}, seed)['val']))
        for seed in (0, 0, 1, 2, 3)
    ]
    assert vals[0] == vals[1]
    assert len(set(vals)) == 4


def test_every_image_is_equally_likely_to_be_tested():
    given = images(10, stratum='joy')
    counts = Counter(
        name
        for seed in range(1000)
        for name in names(split_images(given, {'': SHARES}, seed)['test'])
    )
    # Binomial of 1000 and 0.2: 200, give or take 5 x 12.6.
    assert len(counts) == 10
    assert all(abs(count - 200) < 63 for count in counts.values())


def test_strata_and_parts_have_shares_of_their_own():
    shares = dict(shipped=dict(train=1.0), rest=dict(test=0.66, val=0.34))
    given = [
        *images(7, part='shipped', stratum='a'),
        *images(50, part='rest', stratum='a'),
        *images(3, part='rest', stratum='b'),
    ]
    divided = split_images(given, shares, 5)
    counts = {
        split: Counter((image.part, image.stratum) for image in found)
        for split, found in divided.items()
    }
    assert counts == dict(
        train={('shipped', 'a'): 7},
        val={('rest', 'a'): 17, ('rest', 'b'): 1},
        test={('rest', 'a'): 33, ('rest', 'b'): 2},
    )


def test_nothing_to_divide():
    expected = dict(train=[], val=[], test=[])
    assert split_images([], {'': SHARES}, 0) == expected


@pytest.mark.parametrize(
    ('part', 'called'), [('', 'all images'), ('shipped', 'shipped')]
)
@pytest.mark.parametrize('val', [0.0, 0.2])
def test_shares_must_add_up_to_1(part, called, val):
    shares = dict(train=0.8, val=val, test=0.1)
    with pytest.raises(ValueError) as error:
        split_images([], {part: shares}, 0)
    assert str(error.value) == (
        f'the shares of {called} are {shares}; expected them to add up to 1'
    )
