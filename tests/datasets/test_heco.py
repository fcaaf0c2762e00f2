"""HECO as released, with a table of people."""

from collections import Counter
from pathlib import Path

import pytest

from tests.datasets.miniatures import (
    HECO_COLUMNS,
    SPLITS,
    class_names,
    draw,
    names,
    read,
    write_heco_labels,
    write_miniature,
)
from uniemox_mm.datasets import HECO

# Image, xmin, ymin, xmax, ymax, category
PEOPLE = [
    ('b.jpg', 1, 1, 4, 4, 'Fear'),  # 9
    ('a.jpg', 0, 0, 2, 9, 'Peace'),  # 18
    ('b.jpg', 2, 3, 9, 13, 'Happinesst'),  # 70
    ('b.jpg', 0.5, 0, 5.5, 2, 'Anger'),  # 10
    ('a.jpg', 6, 1, 9, 7, 'Sadness'),  # 18 too, but later
    ('c.jpg', 1, 2, 3, 4, 'Surprise'),
]
A = [[0, 0, 2, 9, 1], [6, 1, 9, 7, 1]]
B = [[2, 3, 9, 13, 1], [0.5, 0, 5.5, 2, 1], [1, 1, 4, 4, 1]]


def write(root, people=PEOPLE, folder='Data', columns=HECO_COLUMNS):
    for name in {row[0] for row in PEOPLE}:
        draw(root, f'{folder}/{name}')
    return write_heco_labels(root, people, columns)


def infos(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def refuse(root, match):
    with pytest.raises(ValueError, match=f'{root}.* HECO: .*{match}') as error:
        HECO.scan(root)
    assert not isinstance(error.value, UnicodeError)
    assert 'Labels/HECO_Labels.csv\n' in str(error.value)  # of the tree


@pytest.mark.parametrize('folder', ['Data', 'Images'])
def test_the_largest_person_labels_an_image(folder, tmp_path):
    write(tmp_path, folder=folder)
    dataset = read('HECO', tmp_path)
    assert class_names(dataset) == {
        f'{folder}/a.jpg': 'Peace',
        f'{folder}/b.jpg': 'Happiness',
        f'{folder}/c.jpg': 'Surprise',
    }
    boxes = {Path(i['img_path']).name: i['persons'] for i in infos(dataset)}
    assert boxes == {'a.jpg': A, 'b.jpg': B, 'c.jpg': [[1, 2, 3, 4, 1]]}


def test_a_sample_a_person(tmp_path):
    write(tmp_path)
    dataset = read('HECO', tmp_path, people='all')
    found = [
        (Path(i['img_path']).name, i['gt_label'], i['persons'])
        for i in infos(dataset)
    ]
    assert sorted(found) == [
        ('a.jpg', 3, A[:1]),
        ('a.jpg', 7, A[1:]),
        ('b.jpg', 2, B[:1]),
        ('b.jpg', 5, B[1:2]),
        ('b.jpg', 6, B[2:]),
        ('c.jpg', 0, [[1, 2, 3, 4, 1]]),
    ]


def test_people_of_an_image_stay_together(tmp_path):
    write_miniature('HECO', tmp_path, per_class=30)
    people = [read('HECO', tmp_path, s, people='all') for s in SPLITS]
    images = [read('HECO', tmp_path, s) for s in SPLITS]
    for of_people, of_images in zip(people, images, strict=True):
        # Image number i shows i % 3 + 1 people.
        expected = {
            n: int(Path(n).stem[-5:]) % 3 + 1 for n in names(of_images)
        }
        assert Counter(names(of_people)) == expected
    assert sum(map(len, people)) == 8 * 30 * 2
    assert sum(map(len, images)) == 8 * 30


def test_the_box_is_what_the_person_stream_sees(tmp_path):
    write(tmp_path)
    crop = [dict(type='LoadEmotionImage'), dict(type='PersonCrop')]
    dataset = read('HECO', tmp_path, people='all', pipeline=crop)
    seen = {s['gt_label']: (s['person_box'], s['img'].shape) for s in dataset}
    assert seen == {
        0: ((1, 2, 3, 4), (2, 2, 3)),
        2: ((2, 3, 9, 13), (10, 7, 3)),
        3: ((0, 0, 2, 9), (9, 2, 3)),
        5: ((0, 0, 6, 2), (2, 6, 3)),
        6: ((1, 1, 4, 4), (3, 3, 3)),
        7: ((6, 1, 9, 7), (6, 3, 3)),
    }


@pytest.mark.parametrize(
    'change',
    [
        lambda text: '\ufeff' + text,  # Excel's mark
        lambda text: text.replace(',', ', '),
        lambda text: text.replace('\r\n', ',,\r\n'),  # further columns
        lambda text: text.replace('\r\n', '\n'),
        lambda text: text.replace('Fear', ' Fear '),
        lambda text: text.replace('\r\n', '\r\n\r\n'),
    ],
)
def test_variants_of_the_table_mean_the_same(change, tmp_path):
    path = write(tmp_path)
    before = HECO.scan(tmp_path)
    text = path.read_bytes().decode()
    path.write_bytes(change(text).encode())
    assert change(text) != text
    assert HECO.scan(tmp_path) == before


def test_columns_may_have_another_order(tmp_path):
    write(tmp_path)
    before = HECO.scan(tmp_path)
    write(tmp_path, columns=('Label', *reversed(HECO_COLUMNS)))
    assert HECO.scan(tmp_path) == before


@pytest.mark.parametrize(
    ('left_out', 'missing'),
    [({'Category'}, 'Category'), ({'xmin', 'Image'}, 'Image, xmin')],
)
def test_a_missing_column_is_named(left_out, missing, tmp_path):
    columns = [name for name in HECO_COLUMNS if name not in left_out]
    write(tmp_path, columns=columns)
    refuse(tmp_path, f'no column {missing}, but')


@pytest.mark.parametrize(
    ('line', 'cause'),
    [
        ('b.jpg,1,1,wide,4,Fear', "line 4 .*'xmax': 'wide'"),
        ('b.jpg,1,1,,4,Fear', "line 4 .*'xmax': ''"),
        ('b.jpg,1,1,4,4,Joy', "line 4 .*'Category': 'Joy'.* Sadness"),
        ('b.jpg,1,1,4,4,', "line 4 .*'Category': ''"),
        ('b.jpg,1,2', "line 4 .*'xmax': None"),  # cut off
        (',0,0,5,5,Peace', "line 4 .*'Image': ''"),
        ('b.jpg,0,0,nan,5,Peace', "line 4 .*'xmax': 'nan'"),
        ('b.jpg,5,5,0,0,Peace', 'line 4 .* xmin < xmax'),
        ('\xe9.jpg,0,0,5,5,Peace', 'HECO_Labels.csv is not UTF-8'),
    ],
)
def test_a_bad_line_is_named(line, cause, tmp_path):
    path = write(tmp_path)
    head = 'Image,xmin,ymin,xmax,ymax,Category\n\nb.jpg,1,1,4,4,Fear\n'
    path.write_bytes((head + line).encode('latin-1'))
    refuse(tmp_path, cause)


@pytest.mark.parametrize(
    ('people', 'cause'),
    [
        ([], 'HECO_Labels.csv lists no people'),
        ([('gone.jpg', 0, 0, 5, 5, 'Peace')], r'none of the 1 .*gone\.jpg'),
    ],
)
def test_a_table_of_no_images_is_refused(people, cause, tmp_path):
    write(tmp_path, people)
    refuse(tmp_path, cause)


def test_missing_table_or_folder(tmp_path):
    path = write(tmp_path, folder='Pictures')
    refuse(tmp_path, 'no folder Data or Images')
    path.unlink()
    refuse(tmp_path, 'no class folder')


def test_the_table_goes_before_folders(tmp_path):
    write_miniature('HECO-folders', tmp_path)
    write(tmp_path)
    assert len(read('HECO', tmp_path)) == 3


def test_folders_do_not_say_who_is_where(tmp_path):
    write_miniature('HECO-folders', tmp_path)
    assert 'persons' not in read('HECO', tmp_path).get_data_info(0)
    with pytest.raises(
        ValueError, match=f"{tmp_path}: people='all' needs .*HECO_Labels.csv"
    ):
        read('HECO', tmp_path, people='all')


@pytest.mark.parametrize(
    ('options', 'cause'),
    [
        (dict(people='first'), "'largest' or 'all', but is 'first'"),
        (dict(people='all', persons='p.json'), r"people='all' .*\(persons=\)"),
    ],
)
def test_wrong_options_are_refused(options, cause, tmp_path):
    with pytest.raises(ValueError, match=cause):
        read('HECO', tmp_path, **options)


def test_split_is_the_second_argument_as_everywhere(tmp_path):
    write_miniature('HECO', tmp_path)
    assert len(HECO(str(tmp_path), 'test', serialize_data=False)) == 32
