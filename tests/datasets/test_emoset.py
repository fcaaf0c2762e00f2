import json
from pathlib import Path

import pytest

from tests.datasets.miniatures import EMOSET
from uniemox_mm.datasets import BadSampleError, EmoSet
from uniemox_mm.utils.json_files import write_openmmlab


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
    assert dataset.CLASSES == EMOSET
    names = table(dataset)
    assert len(names) == 24
    for name, emotion in names.items():
        assert name.startswith(emotion)


@pytest.mark.parametrize(
    'id_of', [lambda row: 7, lambda row: Path(row[1]).stem]
)
def test_rows_may_have_an_id(own_drawn, id_of):
    before = table(EmoSet(str(own_drawn)))
    edit(
        own_drawn / 'train.json',
        lambda rows: [[row[0], id_of(row), *row[1:]] for row in rows],
    )
    assert table(EmoSet(str(own_drawn))) == before


def test_splits_are_joined_in_order(drawn):
    dataset = EmoSet(str(drawn), split=['train', 'val'])
    alone = [EmoSet(str(drawn), split=s) for s in ('train', 'val')]
    paths = [d['img_path'] for part in alone for d in part]
    assert [d['img_path'] for d in dataset] == paths
    assert len(paths) == 32


@pytest.mark.parametrize('info', ['flat', 'nested', 'none'])
def test_info_may_be_nested_or_missing(own_drawn, info):
    if info == 'nested':
        edit(own_drawn / 'info.json', lambda content: dict(emotion=content))
    elif info == 'none':
        (own_drawn / 'info.json').unlink()
    assert len(EmoSet(str(own_drawn))) == 16


def test_two_polarities(drawn):
    dataset = EmoSet(str(drawn), num_classes=2)
    assert dataset.CLASSES == ('positive', 'negative')
    for name, polarity in table(dataset).items():
        positive = name.split('_')[0] in EMOSET[:4]
        assert polarity == ('positive' if positive else 'negative')


def test_annotations_are_not_read_at_start(drawn, monkeypatch):
    read, real = [], EmoSet.read_sample_json
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
            gt_label=EMOSET.index(e),
            attributes=dict(scene='beach'),
            persons=[[1, 2, 30, 40, 0.9]],
        )
        for e in ('fear', 'awe')
    ]
    entries[1]['caption'] = 'Written before.'
    made = own_drawn / 'made.json', dict(classes=EMOSET)
    write_openmmlab(*made, entries)
    dataset = EmoSet(str(own_drawn), split='made', caption=dict())
    names = {'fear_00000.jpg': 'fear', 'awe_00000.jpg': 'awe'}
    assert table(dataset) == names
    written = 'A photo that evokes fear, taken on a beach.'
    assert dataset[0]['caption'] == written
    assert dataset[1]['caption'] == 'Written before.'
    assert dataset[0]['persons'] == [[1, 2, 30, 40, 0.9]]
    assert dataset.caption_of(1) == dataset[1]['caption']
    entries[1]['caption'] = ''  # given, if empty
    write_openmmlab(*made, entries)
    empty = EmoSet(str(own_drawn), split='made', caption=dict())
    assert empty.caption_of(1) == empty[1]['caption'] == ''
    entries[0]['attributes'] = [1]
    write_openmmlab(*made, entries)
    with pytest.raises(BadSampleError, match=r'fear_00000.jpg.* are \[1\]'):
        EmoSet(str(own_drawn), split='made', caption=dict())[0]
    two = EmoSet(str(own_drawn), split='made', num_classes=2)
    assert [two[i]['gt_label'] for i in range(2)] == [1, 0]


def test_persons_come_from_the_boxes_file(drawn):
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


def write_row(row):
    """Put a row third in train.json."""

    def change(root):
        edit(root / 'train.json', lambda rows: [*rows[:2], row, *rows[2:]])

    return change


def write_text(name, text):
    return lambda root: (root / name).write_text(text)


@pytest.mark.parametrize(
    ('damage', 'cause'),
    [
        (write_row(['awe', 'image/a.jpg']), 'train.json: row 2 .*emotion, id'),
        (write_row(['awe', 'a', 'b', 'c', 'd']), 'train.json: row 2 .*emot'),
        (write_row(['joy', 'a.jpg', 'b']), "train.json: row 2 .*'joy'.*sad"),
        (write_row('awe'), "train.json: row 2 is 'awe'"),
        (write_text('train.json', '[["awe",'), 'train.json: not valid JSON'),
        (write_text('train.json', '3'), 'train.json: .* rows .*found int'),
        (write_text('train.json', '{"a": 1}'), r"train.json: .*\['a'\]"),
        (write_text('train.json', '[]'), 'train.json: .*empty'),
        (
            write_text('train.json', '{"metainfo": null, "data_list": null}'),
            r"train.json: .*\['data_list', 'metainfo'\]",
        ),
        (write_text('info.json', '{"emotion": []}'), 'info.json: .* is None'),
        (write_text('info.json', 'null'), 'info.json: .* is None'),
        (
            write_text('info.json', '{"label2idx": {"joy": 0}}'),
            "info.json: .*'joy': 0.*'sadness': 7",
        ),
    ],
)
def test_damaged_lists_are_named(own_drawn, damage, cause):
    damage(own_drawn)
    with pytest.raises(ValueError, match=f'{own_drawn}/{cause}'):
        EmoSet(str(own_drawn))


def test_missing_split_file_is_named(own_drawn):
    (own_drawn / 'train.json').unlink()
    with pytest.raises(
        FileNotFoundError, match=r'(?s)train.json: no such.*holds.*val.json'
    ):
        EmoSet(str(own_drawn))


@pytest.mark.parametrize(
    ('entry', 'cause'),
    [
        (dict(img_path='a.jpg'), r"entry 0 is \{'img_path': 'a.jpg'\}"),
        (dict(img_path=3, gt_label=1), 'entry 0 is .* img_path .a string'),
        (3, 'entry 0 is 3; expected an object'),
        (dict(img_path='a.jpg', gt_label=8), 'entry 0 .* 8; expected 0 to 7'),
    ],
)
def test_damaged_openmmlab_entries(own_drawn, entry, cause):
    write_openmmlab(own_drawn / 'made.json', {}, [entry])
    with pytest.raises(ValueError, match=f'made.json: {cause}'):
        EmoSet(str(own_drawn), split='made')


def test_other_class_order_is_refused(own_drawn):
    classes = dict(classes=sorted(EMOSET))
    write_openmmlab(own_drawn / 'made.json', classes, [])
    with pytest.raises(ValueError, match=r"made\.json: .*'anger'"):
        EmoSet(str(own_drawn), split='made')


def test_missing_root_shows_the_expected_tree(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r'(?s)nowhere: no such folder.*train\.json.*annotation/',
    ):
        EmoSet(str(tmp_path / 'nowhere'))


@pytest.mark.parametrize(
    ('damage', 'error', 'cause'),
    [
        (
            lambda path: edit(
                path, lambda c: dict(data_list=c['data_list'][1:])
            ),
            ValueError,
            '15 of the 16 .*amusement_00000',
        ),
        (Path.unlink, FileNotFoundError, 'persons=None'),
        (
            lambda path: path.write_text('{"data_list": [{"a": 1}]}'),
            ValueError,
            'not a boxes file',
        ),
    ],
)
def test_unsuitable_boxes_are_refused(own_drawn, damage, error, cause):
    damage(own_drawn / 'persons.json')
    with pytest.raises(error, match=rf'persons\.json: .*{cause}'):
        EmoSet(str(own_drawn), persons='persons.json')


@pytest.mark.parametrize(
    ('content', 'cause'),
    [
        (b'{"brightness": ', 'not valid JSON'),
        (b'[1, 2]', 'expected a JSON object, but found list'),
        (b'{"brightness": 7}', 'brightness must be a number'),
        (b'{"emotion": "fear"}', "'fear', but the split file says 'amuse"),
        (None, 'no such file'),
        (b'\xff\xfe\x00', 'not valid JSON'),
    ],
)
def test_damaged_annotation_is_named(own_drawn, content, cause):
    dataset = EmoSet(str(own_drawn), caption=dict())
    path = Path(dataset.get_data_info(0)['annotation'])
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadSampleError, match=f'{path}.*{cause}'):
        dataset[0]


@pytest.mark.parametrize(
    ('options', 'cause'),
    [
        (dict(split=[]), 'at least one split file'),
        (dict(num_classes=7), '8 emotions or 2 polarities, not 7'),
        (dict(caption=dict(emotoin=True)), r"\['emotoin'\]"),
        (dict(on_bad_sample='ignore'), "'error' or 'skip', but is 'ignore'"),
    ],
)
def test_wrong_options_are_refused(drawn, options, cause):
    with pytest.raises(ValueError, match=cause):
        EmoSet(str(drawn), **options)
