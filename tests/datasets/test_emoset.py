import json
from pathlib import Path

import numpy as np
import pytest

from uniemox_mm.datasets import BadSampleError, EmoSet
from uniemox_mm.datasets import emoset as emoset_module

OFFICIAL = (
    'amusement', 'awe', 'contentment', 'excitement',
    'anger', 'disgust', 'fear', 'sadness',
)  # fmt: skip


def edit(path: Path, change):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content)))


def table(dataset):
    """File name -> class name."""
    return {
        Path(info['img_path']).name: dataset.CLASSES[info['gt_label']]
        for info in map(dataset.get_data_info, range(len(dataset)))
    }


def test_class_names_come_from_the_lists(drawn):
    dataset = EmoSet(str(drawn), split='train')
    assert dataset.CLASSES == OFFICIAL
    names = table(dataset)
    assert len(names) == 24
    for name, emotion in names.items():
        assert name.startswith(emotion)


def test_the_id_of_a_row_may_be_a_number(own_drawn):
    before = table(EmoSet(str(own_drawn)))
    edit(
        own_drawn / 'train.json',
        lambda rows: [[r[0], i, *r[1:]] for i, r in enumerate(rows)],
    )
    assert table(EmoSet(str(own_drawn))) == before


def test_splits_are_joined_in_order(drawn):
    dataset = EmoSet(str(drawn), split=['train', 'val'])
    alone = [EmoSet(str(drawn), split=s) for s in ('train', 'val')]
    paths = [d['img_path'] for part in alone for d in part]
    assert [d['img_path'] for d in dataset] == paths
    assert len(paths) == 32


def test_four_field_rows_mean_the_same(own_drawn):
    before = table(EmoSet(str(own_drawn)))
    edit(
        own_drawn / 'train.json',
        lambda rows: [[r[0], Path(r[1]).stem, *r[1:]] for r in rows],
    )
    assert table(EmoSet(str(own_drawn))) == before


@pytest.mark.parametrize('form', ['flat', 'nested', 'none'])
def test_all_forms_of_info(own_drawn, form):
    if form == 'nested':
        edit(own_drawn / 'info.json', lambda info: dict(emotion=info))
    elif form == 'none':
        (own_drawn / 'info.json').unlink()
    assert len(EmoSet(str(own_drawn))) == 16


def test_two_polarities(drawn):
    dataset = EmoSet(str(drawn), num_classes=2)
    assert dataset.CLASSES == ('positive', 'negative')
    for name, polarity in table(dataset).items():
        positive = name.split('_')[0] in OFFICIAL[:4]
        assert polarity == ('positive' if positive else 'negative')


def test_annotations_are_not_read_at_start(drawn, monkeypatch):
    read = []
    real = emoset_module.EmoSet.read_sample_json
    monkeypatch.setattr(
        EmoSet,
        'read_sample_json',
        staticmethod(lambda path: read.append(str(path)) or real(path)),
    )
    plain = EmoSet(str(drawn))
    _ = plain[0]
    assert read == []
    dataset = EmoSet(str(drawn), caption=dict())
    assert read == []
    sample = dataset[3]
    assert read == [sample['annotation']]


def test_captions_follow_the_annotation(own_drawn):
    dataset = EmoSet(str(own_drawn), caption=dict())
    path = Path(dataset.get_data_info(0)['annotation'])
    path.write_text(json.dumps(dict(brightness=0.8, object=['Dog'])))
    expected = 'A bright photo that evokes amusement, with a dog.'
    assert dataset[0]['caption'] == expected
    assert dataset.caption_of(0) == expected
    silent = EmoSet(str(own_drawn), caption=dict(emotion=False))
    assert silent[0]['caption'] == 'A bright photo, with a dog.'


def test_openmmlab_annotation(own_drawn):
    entries = [
        dict(
            img_path=f'image/{e}/{e}_00000.jpg',
            gt_label=OFFICIAL.index(e),
            attributes=dict(scene='beach'),
            persons=[[1, 2, 30, 40, 0.9]],
        )
        for e in ('fear', 'awe')
    ]
    entries[1]['caption'] = 'Written before.'
    content = dict(metainfo=dict(classes=OFFICIAL), data_list=entries)
    (own_drawn / 'made.json').write_text(json.dumps(content))
    dataset = EmoSet(str(own_drawn), split='made', caption=dict())
    assert table(dataset) == {
        'fear_00000.jpg': 'fear',
        'awe_00000.jpg': 'awe',
    }
    assert dataset[0]['caption'] == (
        'A photo that evokes fear, taken on a beach.'
    )
    assert dataset[1]['caption'] == 'Written before.'
    assert dataset[0]['persons'] == [[1, 2, 30, 40, 0.9]]
    assert dataset.caption_of(1) == dataset[1]['caption']
    entries[1]['caption'] = ''  # given, if empty
    (own_drawn / 'made.json').write_text(json.dumps(content))
    empty = EmoSet(str(own_drawn), split='made', caption=dict())
    assert empty.caption_of(1) == empty[1]['caption'] == ''
    entries[0]['attributes'] = [1]
    (own_drawn / 'made.json').write_text(json.dumps(content))
    with pytest.raises(BadSampleError, match=r'fear_00000.jpg.* are \[1\]'):
        EmoSet(str(own_drawn), split='made', caption=dict())[0]
    two = EmoSet(str(own_drawn), split='made', num_classes=2)
    assert [two[i]['gt_label'] for i in range(2)] == [1, 0]


def test_boxes_from_a_side_file(drawn):
    dataset = EmoSet(str(drawn), persons='persons.json')
    content = json.loads((drawn / 'persons.json').read_text())
    boxes = {e['img_path']: e['persons'] for e in content['data_list']}
    counts = set()
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        name = Path(info['img_path']).relative_to(drawn).as_posix()
        assert info['persons'] == boxes[name]
        counts.add(len(info['persons']))
    assert {0, 1} <= counts


def test_fraction_is_stratified_and_seeded(drawn):
    part = EmoSet(str(drawn), fraction=0.34, seed=1)
    again = EmoSet(str(drawn), fraction=0.34, seed=1)
    other = EmoSet(str(drawn), fraction=0.34, seed=2)
    assert table(part) == table(again) != table(other)
    labels = np.bincount(part.get_gt_labels(), minlength=8)
    assert labels.tolist() == [1] * 8  # round(0.34 * 3)
    assert set(table(part)) < set(table(EmoSet(str(drawn))))


def broken_row(root, row):
    edit(root / 'train.json', lambda rows: [*rows[:2], row, *rows[2:]])


@pytest.mark.parametrize(
    ('damage', 'error', 'parts'),
    [
        (
            lambda root: broken_row(root, ['awe', 'image/a.jpg']),
            ValueError,
            ['train.json: row 2', '[emotion, id, image, annotation]'],
        ),
        (
            lambda root: broken_row(root, ['awe', 'a', 'b', 'c', 'd']),
            ValueError,
            ['train.json: row 2', '[emotion, image, annotation]'],
        ),
        (
            lambda root: broken_row(root, ['joy', 'a.jpg', 'a.json']),
            ValueError,
            ["train.json: row 2 has the emotion 'joy'", 'sadness'],
        ),
        (
            lambda root: broken_row(root, 'awe'),
            ValueError,
            ["train.json: row 2 is 'awe'"],
        ),
        (
            lambda root: (root / 'train.json').write_text('[["awe",'),
            ValueError,
            ['train.json: not valid JSON'],
        ),
        (
            lambda root: (root / 'train.json').write_text('3'),
            ValueError,
            ['train.json: expected a list of rows', 'found int'],
        ),
        (
            lambda root: (root / 'train.json').write_text('{"a": 1}'),
            ValueError,
            ['train.json', '"data_list"', "['a']"],
        ),
        (
            lambda root: (root / 'train.json').write_text('[]'),
            ValueError,
            ['train.json: expected rows, but it is empty'],
        ),
        (
            lambda root: (root / 'train.json').write_text(
                '{"metainfo": null, "data_list": null}'
            ),
            ValueError,
            ['train.json', "['data_list', 'metainfo']"],
        ),
        (
            lambda root: (root / 'info.json').write_text('{"emotion": []}'),
            ValueError,
            ['info.json: its label2idx is None'],
        ),
        (
            lambda root: (root / 'info.json').write_text('null'),
            ValueError,
            ['info.json: its label2idx is None'],
        ),
        (
            lambda root: (root / 'train.json').unlink(),
            FileNotFoundError,
            ['train.json: no such split file', 'but', 'holds', 'val.json'],
        ),
        (
            lambda root: edit(
                root / 'info.json',
                lambda info: dict(label2idx={'joy': 0}),
            ),
            ValueError,
            ['info.json', "{'joy': 0}", "'sadness': 7"],
        ),
    ],
)
def test_damaged_lists_name_file_and_expectation(
    own_drawn, damage, error, parts
):
    damage(own_drawn)
    with pytest.raises(error) as caught:
        EmoSet(str(own_drawn))
    for part in [str(own_drawn), *parts]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (dict(img_path='a.jpg'), r"entry 0 is \{'img_path': 'a.jpg'\}"),
        (dict(img_path=3, gt_label=1), 'entry 0 is .* img_path .a string'),
        (3, 'entry 0 is 3; expected an object'),
        (
            dict(img_path='a.jpg', gt_label=8),
            'entry 0 has the label 8; expected 0 to 7',
        ),
    ],
)
def test_damaged_openmmlab_entries(own_drawn, entry, message):
    content = dict(metainfo={}, data_list=[entry])
    (own_drawn / 'made.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'made.json: {message}'):
        EmoSet(str(own_drawn), split='made')


def test_other_class_order_is_refused(own_drawn):
    content = dict(metainfo=dict(classes=sorted(OFFICIAL)), data_list=[])
    (own_drawn / 'made.json').write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"made\.json: its classes are.*'anger'"
    ):
        EmoSet(str(own_drawn), split='made')


def test_missing_root_shows_the_expected_tree(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        EmoSet(str(tmp_path / 'nowhere'))
    for part in ('nowhere: no such folder', 'train.json', 'annotation/'):
        assert part in str(error.value)


def test_side_file_of_other_images_is_refused(own_drawn):
    edit(
        own_drawn / 'persons.json',
        lambda c: dict(c, data_list=c['data_list'][1:]),
    )
    with pytest.raises(ValueError) as error:
        EmoSet(str(own_drawn), persons='persons.json')
    assert 'persons.json: has boxes for 15 of the 16' in str(error.value)
    assert 'image/amusement/amusement_00000.jpg' in str(error.value)


def test_missing_side_file_says_how_to_do_without(own_drawn):
    with pytest.raises(FileNotFoundError, match=r'b\.json: .*persons=None'):
        EmoSet(str(own_drawn), persons='b.json')


def test_side_file_of_another_format_is_refused(own_drawn):
    (own_drawn / 'persons.json').write_text('{"data_list": [{"a": 1}]}')
    with pytest.raises(ValueError, match=r'persons\.json: not a boxes file'):
        EmoSet(str(own_drawn), persons='persons.json')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"brightness": ', 'not valid JSON'),
        ('[1, 2]', 'expected a JSON object, but found list'),
        ('{"brightness": 7}', 'brightness must be a number'),
        ('{"emotion": "fear"}', "'fear', but the split file says 'amuse"),
        (None, 'no such file'),
        (b'\xff\xfe\x00', 'not valid JSON'),
    ],
)
def test_damaged_annotation_is_named(own_drawn, content, message):
    dataset = EmoSet(str(own_drawn), caption=dict())
    path = Path(dataset.get_data_info(0)['annotation'])
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    with pytest.raises(BadSampleError) as error:
        dataset[0]
    assert str(path) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(split=[]), 'at least one split file'),
        (dict(num_classes=7), '8 emotions or 2 polarities, not 7'),
        (dict(caption=dict(emotoin=True)), r"\['emotoin'\]"),
        (dict(fraction=0), r'fraction must be in \(0, 1\], but is 0'),
        (dict(on_bad_sample='ignore'), "'error' or 'skip', but is 'ignore'"),
    ],
)
def test_wrong_options_are_refused(drawn, options, message):
    with pytest.raises(ValueError, match=message):
        EmoSet(str(drawn), **options)
