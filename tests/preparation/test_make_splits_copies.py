"""Copies and broken files in a download that is split."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.datasets.miniatures import names, read
from tests.preparation.miniature_splits import SPLITS, load, make, report_of


def plant_copies(root):
    """Copies of every kind in Emotion6, by its division with seed 42.

    Returns:
        tuple[list[list], set]: The groups, and what drop must leave out.
    """
    dataset = {s: names(read('Emotion6', root, s)) for s in SPLITS}

    def of(split, emotion):
        return [n for n in dataset[split] if n.startswith(f'images/{emotion}')]

    def copy(source, *targets):
        for target in targets:
            shutil.copy(root / source, root / target)
        return [source, *targets]

    train, val, test = (of(s, 'anger') for s in SPLITS)
    fear = of('train', 'fear')
    groups = [
        copy(train[0], train[1], train[2]),
        copy(train[3], val[0]),
        copy(train[4], test[0]),
        copy(val[1], test[1]),
        copy(train[5], fear[0]),
        copy(test[2], of('test', 'fear')[0]),
        copy(train[6], fear[1], of('val', 'joy')[0]),
    ]
    dropped = {
        *(train[1], train[2], train[3], train[4], val[1]),
        *(train[5], fear[0], train[6], fear[1]),
    }
    return groups, dropped


@pytest.mark.parametrize('mode', ['report', 'drop'])
def test_copies_are_found_and_dropped_as_promised(own_mini, mode):
    root = own_mini('Emotion6')
    expected, dropped = plant_copies(root)
    whole = {s: names(read('Emotion6', root, s)) for s in SPLITS}
    make('Emotion6', root, duplicates=mode)
    copies = report_of(root)['copies']
    found = [{i['img_path'] for i in g['images']} for g in copies['members']]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    for group in copies['members']:
        labels = {image['label'] for image in group['images']}
        assert group['conflict'] == (len(labels) > 1)
        for image in group['images']:
            assert image['img_path'] in whole[image['split']]
            assert image['label'] == Path(image['img_path']).parent.name
            content = (root / image['img_path']).read_bytes()
            assert group['sha256'] == hashlib.sha256(content).hexdigest()
    assert copies['groups'] == 7 and copies['conflicts'] == 3
    assert copies['inside'] == dict(train=3, val=0, test=1)
    assert copies['across'] == {
        'train-val': 2,
        'train-test': 1,
        'val-test': 1,
    }
    gone = dropped if mode == 'drop' else set()
    assert {entry['img_path'] for entry in copies['dropped']} == gone
    assert all(entry['reason'] for entry in copies['dropped'])
    assert 'test keeps all' in copies['rule_of_dropping']
    for split in SPLITS:
        left = [name for name in whole[split] if name not in gone]
        assert names(read('Emotion6', root, split)) == left
    assert load(root)['train']['metainfo']['duplicates'] == mode


@pytest.mark.parametrize('candidates', [1, 3])
def test_broken_files_are_left_out_and_named(own_mini, mini, candidates):
    root = own_mini('FI')
    train, val, test = (names(read('FI', root, s)) for s in SPLITS)
    cut, empty, text = train[3], val[0], test[5]
    (root / cut).write_bytes((root / cut).read_bytes()[:-200])
    (root / empty).write_bytes(b'')
    (root / text).write_text('<html>')
    made = make('FI', root, candidates=candidates)
    assert made.report['broken'] == report_of(root)['broken']
    broken = {b['img_path']: b['problem'] for b in made.report['broken']}
    assert broken.keys() == {cut, empty, text}
    assert 'not a readable image' in broken[cut]
    assert broken[empty] == 'the file is empty'
    assert broken[text] == 'not an image'
    assert made.report['images'] == 160
    for split in SPLITS:  # no other image is moved by that
        seed = made.report['seed']
        whole = names(read('FI', mini('FI'), split, split_seed=seed))
        left = [name for name in whole if name not in broken]
        assert names(read('FI', root, split)) == left
