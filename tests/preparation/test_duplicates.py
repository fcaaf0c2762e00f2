import pytest

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.preparation.duplicates import (
    CONFLICT,
    copies_to_drop,
    describe_copies,
    find_copies,
)


def splits_of(**files):
    """'aA bB' -> images of the files a and b with the labels A and B."""
    splits = dict(train=[], val=[], test=[])
    hashes = {}
    for split, text in files.items():
        for i, (content, label) in enumerate(text.split()):
            name = f'{split}/{i}'
            splits[split].append(LabelledImage(name, ord(label) - ord('A')))
            hashes[name] = content
    return splits, hashes


def test_groups_of_copies():
    splits, hashes = splits_of(
        train='aA bA aA cB dC', val='eA cB dA fA fA', test='gA hA hB dC'
    )
    groups = find_copies(splits, hashes)
    found = {
        group.sha256: [(split, image.name) for split, image in group.images]
        for group in groups
    }
    assert found == dict(
        a=[('train', 'train/0'), ('train', 'train/2')],
        c=[('train', 'train/3'), ('val', 'val/1')],
        d=[('train', 'train/4'), ('val', 'val/2'), ('test', 'test/3')],
        f=[('val', 'val/3'), ('val', 'val/4')],
        h=[('test', 'test/1'), ('test', 'test/2')],
    )
    assert [g.sha256 for g in groups if len(g.labels) > 1] == ['d', 'h']
    report = describe_copies(groups, {'train/0': 'why'}, 'ABC')
    assert {k: report[k] for k in list(report)[:5]} == dict(
        groups=5,
        inside=dict(train=1, val=1, test=1),
        across={'train-val': 2, 'train-test': 1, 'val-test': 1},
        conflicts=2,
        dropped=[dict(img_path='train/0', reason='why')],
    )
    assert [member['sha256'] for member in report['members']] == list('acdfh')
    assert report['members'][-1] == dict(
        sha256='h',
        conflict=True,
        images=[
            dict(img_path='test/1', split='test', label='A'),
            dict(img_path='test/2', split='test', label='B'),
        ],
    )


@pytest.mark.parametrize(
    ('files', 'dropped'),
    [
        (dict(train='aA bA', val='cA', test='dA'), {}),
        (dict(train='aA aA aA'), {1: 'a copy of train/0', 2: 'a copy of'}),
        (dict(train='aA aB bA'), {0: CONFLICT, 1: CONFLICT}),
        (dict(train='aA aA', val='aA'), {0: 'also in val: val/0', 1: 'also'}),
        (dict(train='aA', test='aB'), {0: 'also in test: test/0'}),
        (dict(train='aA', val='aA', test='aA'), {0: 'also in test', 'v0': ''}),
        (dict(val='aA aA', test='bA bA bC'), {'v1': 'a copy of val/0'}),
        (dict(val='aA aA', test='aA'), {'v0': 'also in test', 'v1': 'also'}),
        (
            dict(train='aA', val='aA aB'),
            {0: 'also in val', 'v0': CONFLICT, 'v1': CONFLICT},
        ),
        (dict(train='aB', val='aA aA'), {0: 'also in val', 'v1': 'a copy'}),
    ],
)
def test_dropped_copies(files, dropped):
    groups = find_copies(*splits_of(**files))
    reasons = copies_to_drop(groups)
    expected = {
        f'val/{key[1:]}' if isinstance(key, str) else f'train/{key}': reason
        for key, reason in dropped.items()
    }
    assert reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert reasons[name].startswith(reason), name
