"""Ratios and tables, from times that are given."""

import pytest
from loader_speed import markdown
from loader_speed.ratios import Spread, Times
from loader_speed.variants import WAYS

RAW, FILES, DATABASE = 'raw JPEG', 'prepared files', 'prepared LMDB'
STEPS = ('read', 'decode', 'scene', 'person', 'pack')


def row(form, views, seconds, way='Pillow', **steps):
    taken = {name: [steps.get(name, 0.0)] * len(seconds) for name in STEPS}
    return dict(
        form=form, way=way, views=views, seconds={**taken, 'all': seconds}
    )


def every_way(form, one, two, **steps):
    """The same times for all ways that need no turbojpeg."""
    return [
        row(form, views, seconds, way.name, **steps)
        for way in WAYS
        if way.backend != 'turbojpeg'
        for views, seconds in (('scene', one), ('scene + person', two))
    ]


@pytest.fixture
def result():
    facts = dict(
        images=3, with_people=2, short_side=700, long_side=1024, kilobytes=204
    )
    small = {**facts, 'short_side': 320, 'long_side': 453.5, 'kilobytes': 35.4}
    return dict(
        machine=dict(
            processor='A Chip', cores=2, versions=dict(python='3.11', lmdb='1')
        ),
        settings=dict(
            config='a.py',
            images='drawn',
            batch_size=64,
            short_side=320,
            rounds=3,
            way='Pillow; torch resizes',
        ),
        forms={RAW: facts, FILES: small, DATABASE: small},
        variants=[
            *every_way(
                RAW,
                [0.010, 0.010, 0.020],
                [0.012, 0.015, 0.020],
                read=0.001,
                decode=0.006,
                scene=0.003,
                person=0.002,
                pack=0.001,
            ),
            *every_way(FILES, [0.003] * 3, [0.004, 0.005, 0.0045]),
            *every_way(DATABASE, [0.004] * 3, [0.008] * 3),
        ],
        workers=[
            dict(form=RAW, workers=1, rates=[80.0, 90.0, 85.0]),
            dict(form=RAW, workers=2, rates=[150.0, 170.0, 160.0]),
        ],
        not_run=dict(turbojpeg='PyTurboJPEG is not installed'),
    )


def test_ratios_are_of_the_same_round(result):
    times = Times(result['variants'])
    # 12 / 4, 15 / 5 and 20 / 4.5, not the ratio of the medians.
    faster = times.over_raw(FILES, 'Pillow')
    assert faster == pytest.approx((3.0, 3.0, 4.4444), abs=1e-4)
    cost = times.cost_of_two(RAW, 'Pillow')
    assert cost == pytest.approx((1.2, 1.0, 1.5))
    rate = times.rate(FILES, 'Pillow', 'scene + person')
    assert rate == pytest.approx((1 / 0.0045, 200, 250))
    assert Spread.of([5.0, 1.0, 2.0, 4.0]) == (3.0, 1.0, 5.0)


def test_milliseconds_are_medians(result):
    times = Times(result['variants'])
    assert times.milliseconds(RAW, 'Pillow', 'scene + person') == (
        pytest.approx(
            dict(read=1, decode=6, scene=3, person=2, pack=1, all=15)
        )
    )


def test_all_that_is_said(result):
    text = markdown(result)
    head, _, rest = text.partition('## Images a second in one process\n\n')
    assert head == (
        '# Speed of the data pipeline\n\n'
        'A Chip, 2 cores; python 3.11, lmdb 1\n\n'
        'a.py, images: drawn. Median of 3 rounds, in brackets the lowest and '
        'the highest; all files in the page cache. Scaled: JPEGs decoded at '
        '1/2, 1/4 or 1/8, not under 320 pixels on the short side. The '
        "default is the config's.\n\n"
        '| form | images | with people | pixels | KB |\n'
        '| --- | --- | --- | --- | --- |\n'
        '| raw JPEG | 3 | 2 | 1024 x 700 | 204 |\n'
        '| prepared files | 3 | 2 | 453.5 x 320 | 35 |\n'
        '| prepared LMDB | 3 | 2 | 453.5 x 320 | 35 |\n\n'
    )
    rates, _, rest = rest.partition('\n\n## Where the time goes\n\n')
    lines = rates.splitlines()
    assert lines[0] == (
        '| form | decoding | scene | scene + person | cost of both | over '
        'raw JPEG |'
    )
    assert len(lines) == 2 + 3 * 8 + 2
    assert lines[2] == (
        '| raw JPEG | Pillow | 100 (50 to 100) | 67 (50 to 83) | 1.20 (1.00 '
        'to 1.50) |  |'
    )
    turbo = '| raw JPEG | turbojpeg | not run | not run | not run | not run |'
    assert lines[4] == turbo
    assert lines[8].startswith('| raw JPEG | Pillow; torch resizes (the def')
    assert sum('(the default)' in line for line in lines) == 3
    assert lines[10].startswith('| prepared files | Pillow | 333 (333 to 333)')
    assert lines[10].endswith('| 1.50 (1.33 to 1.67) | 3.00 (3.00 to 4.44) |')
    assert (
        lines[-1] == 'Not run: turbojpeg, since PyTurboJPEG is not installed.'
    )
    steps, _, rest = rest.partition('\n\n## Through the data loader\n\n')
    lines = steps.splitlines()
    assert lines[0] == 'Milliseconds an image, scene + person.'
    assert lines[4] == (
        '| raw JPEG | Pillow | 1.00 | 6.00 | 3.00 | 2.00 | 1.00 | 2.00 | '
        '15.00 |'
    )
    assert len(lines) == 4 + 3 * 6
    assert sum('(the default)' in line for line in lines) == 3
    workers, _, targets = rest.partition('\n\n## To reach\n\n')
    assert workers == (
        "Images a second, batches of 64, the config's pipeline as it is: "
        'Pillow; torch resizes.\n\n'
        '| form | workers | images a second | a worker |\n'
        '| --- | --- | --- | --- |\n'
        '| raw JPEG | 1 | 85 (80 to 90) | 85 |\n'
        '| raw JPEG | 2 | 160 (150 to 170) | 80 |'
    )
    assert targets == (
        '| what | decoding | measured | to reach | reached |\n'
        '| --- | --- | --- | --- | --- |\n'
        + ''.join(
            f'| raw JPEG: time of scene + person over scene | {way} | 1.20 '
            '(1.00 to 1.50) | at most 1.35 | yes |\n'
            f'| prepared files: time of scene + person over scene | {way} | '
            '1.50 (1.33 to 1.67) | at most 1.35 | no |\n'
            f'| prepared LMDB: time of scene + person over scene | {way} | '
            '2.00 (2.00 to 2.00) | at most 1.35 | no |\n'
            f'| prepared files: images a second over raw JPEG | {way} | 3.00 '
            '(3.00 to 4.44) | at least 2.5 | yes |\n'
            f'| prepared LMDB: images a second over raw JPEG | {way} | 1.88 '
            '(1.50 to 2.50) | at least 2.5 | no |\n'
            for way in ('Pillow', 'Pillow; torch resizes (the default)')
        )
    )


def test_a_config_that_does_it_otherwise(result):
    result['settings']['way'] = None
    text = markdown(result)
    assert '(the default)' not in text
    assert "the config's pipeline as it is.\n\n" in text
