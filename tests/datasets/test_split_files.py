"""Split files instead of random splits."""

import json

import pytest

from tests.datasets.miniatures import (
    FI,
    class_names,
    names,
    read,
    write_miniature,
)
from uniemox_mm.utils.json_files import write_openmmlab

ROWS = dict(
    train=[('fear/fear_00003.jpg', 6), ('awe/awe_00001.jpg', 2)],
    val=[('anger/anger_00002.jpg', 1)],
    test=[('awe/awe_00000.jpg', 2), ('elsewhere/7.png', 0)],
)
TRAIN = {'fear/fear_00003.jpg': 'fear', 'awe/awe_00001.jpg': 'awe'}


def write_splits(folder, rows=ROWS, **metainfo):
    folder.mkdir(parents=True, exist_ok=True)
    for split, pairs in rows.items():
        entries = [dict(img_path=path, gt_label=i) for path, i in pairs]
        write_openmmlab(folder / f'{split}.json', metainfo, entries)


@pytest.fixture
def root(tmp_path):
    return write_miniature('FI', tmp_path / 'FI', per_class=5, size=4)


def refusal(root, split='train', error=ValueError, **options):
    with pytest.raises(error) as caught:
        read('FI', root, split, **options)
    return str(caught.value)


@pytest.mark.parametrize('metainfo', [{}, dict(classes=FI)])
@pytest.mark.parametrize('place', ['root', 'below', 'absolute'])
def test_files_are_read_instead_of_folders(place, metainfo, root, tmp_path):
    folder = dict(root=root, below=root / 'my/splits', absolute=tmp_path / 'x')
    split_dir = dict(root=None, below='my/splits', absolute=tmp_path / 'x')
    write_splits(folder[place], **metainfo)
    options = dict(split_dir=split_dir[place])
    assert class_names(read('FI', root, 'train', **options)) == TRAIN
    test = class_names(read('FI', root, 'test', **options))
    assert test == {'awe/awe_00000.jpg': 'awe', 'elsewhere/7.png': 'amusement'}
    # In the order of the files, and of the splits.
    joined = names(read('FI', root, ['val', 'train'], **options))
    assert joined == [row[0] for row in ROWS['val'] + ROWS['train']]
    other = class_names(read('FI', root, 'train', split_seed=7, **options))
    assert other == TRAIN


def test_files_below_the_root_are_not_read_unasked(root):
    write_splits(root / 'splits')
    assert len(read('FI', root)) == 40


def test_a_split_dir_goes_before_the_root(root):
    write_splits(root, dict(train=[], val=[], test=[]))
    write_splits(root / 'mine')
    assert class_names(read('FI', root, 'train', split_dir='mine')) == TRAIN


def test_the_folders_need_not_be_there(tmp_path):
    write_splits(tmp_path)
    assert class_names(read('FI', tmp_path, 'train')) == TRAIN


def test_further_entries_are_kept(root):
    entry = dict(img_path='awe/awe_00000.jpg', gt_label=2)
    more = dict(persons=[[0, 0, 3, 3, 0.5]], source='Flickr')
    write_openmmlab(root / 'train.json', {}, [{**entry, **more}])
    info = read('FI', root, 'train').get_data_info(0)
    assert info.pop('sample_idx') == 0
    path = str(root / 'awe/awe_00000.jpg')
    assert info == dict(img_path=path, gt_label=2, **more)


def test_people_of_heco_come_from_the_files(tmp_path):
    entry = dict(
        img_path='Data/a.jpg',
        gt_label=6,
        persons=[[0, 0, 9, 9, 1], [1, 1, 2, 2, 1]],
        person_labels=[6, 3],
    )
    write_openmmlab(tmp_path / 'train.json', {}, [entry])
    largest = read('HECO', tmp_path, 'train')
    assert class_names(largest) == {'Data/a.jpg': 'Fear'}
    people = read('HECO', tmp_path, 'train', people='all')
    found = [people.get_data_info(i) for i in range(len(people))]
    assert [(i['gt_label'], i['persons']) for i in found] == [
        (6, [[0, 0, 9, 9, 1]]),
        (3, [[1, 1, 2, 2, 1]]),
    ]


@pytest.mark.parametrize('gone', ['train', 'val', 'test'])
def test_a_missing_file_says_how_to_write_it(gone, root):
    write_splits(root)
    (root / f'{gone}.json').unlink()
    text = refusal(root, ['train', 'val', 'test'], FileNotFoundError)
    left = [split for split in ROWS if split != gone]
    for part in (f'{root / gone}.json', 'awe/', f'{left[0]}.json'):
        assert part in text
    assert f'make_splits.py FI {root} writes' in text
    assert len(read('FI', root, left[0])) == len(ROWS[left[0]])


def test_a_missing_split_dir_is_named(root):
    text = refusal(root, 'val', FileNotFoundError, split_dir='mine')
    assert f'{root}/mine/val.json: no such split file' in text
    assert f'make_splits.py FI {root} --out {root}/mine writes' in text


@pytest.mark.parametrize(
    ('content', 'cause'),
    [
        ([['awe', 'awe/awe_00000.jpg', 'a.json']], 'found list'),
        (dict(images=[], metainfo={}), "keys ['images', 'metainfo']"),
        (dict(data_list=[dict(img_path='a.jpg')]), 'entry 0 is {'),
        (dict(data_list=[dict(img_path='a.jpg', gt_label=8)]), 'label 8; exp'),
        (
            dict(data_list=[dict(img_path='a.jpg', gt_label=[1])]),
            'label [1]; expected 0 to 7',
        ),
        (dict(data_list=[], metainfo=dict(classes=FI[:7])), "'excitement',"),
        (dict(data_list=[], metainfo=dict(classes=FI[::-1])), "('sadness',"),
        (dict(data_list=[], metainfo=dict(classes=8)), 'classes are 8'),
        ('{"data_list": [', 'not valid JSON'),
    ],
)
def test_wrong_files_are_refused(content, cause, root):
    text = content if isinstance(content, str) else json.dumps(content)
    (root / 'train.json').write_text(text)
    message = refusal(root)
    assert f'{root}/train.json: ' in message and cause in message


@pytest.mark.parametrize('files', [False, True])
def test_a_split_without_images_is_named(files, tmp_path):
    write_miniature('FI', tmp_path, per_class=1)
    if files:
        (tmp_path / 'val.json').write_text('{"data_list": []}')
    with pytest.raises(ValueError, match='no images for val'):
        read('FI', tmp_path, 'val')
