"""Variants of real downloads that are read all the same."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.datasets.miniatures import (
    MINIATURES,
    class_names,
    draw,
    names,
    read,
    write_miniature,
)


@pytest.mark.parametrize(
    'folders',
    [
        ('train/Angry', 'test/Angry'),
        ('train/Anger', 'test/Angry'),
        ('train/Angry', 'test/Anger'),
        ('train/ANGER', 'test/angry'),
    ],
)
def test_caers_calls_it_anger_or_angry(tmp_path, folders):
    write_miniature('CAERS', tmp_path)
    before = Counter(class_names(read('CAERS', tmp_path)).values())
    for folder in folders:
        (tmp_path / folder).parent.joinpath('Anger').rename(tmp_path / folder)
    found = class_names(read('CAERS', tmp_path))
    assert Counter(found.values()) == before
    assert {Path(p).parent.as_posix() for p, c in found.items()} >= {*folders}
    for folder in folders:
        assert found[f'{folder}/0001.png'] == 'Anger'


def test_caers_with_anger_and_angry_side_by_side(tmp_path):
    write_miniature('CAERS', tmp_path, per_class=10)
    for i in range(1, 6):
        draw(tmp_path, f'train/Angry/{i:04d}.png')
    dataset = read('CAERS', tmp_path, 'train')
    assert Counter(dataset.get_gt_labels().tolist())[0] == 7 + 5
    assert names(dataset)[5:9] == [
        'train/Anger/0006.png',
        'train/Anger/0007.png',
        'train/Angry/0001.png',
        'train/Angry/0002.png',
    ]


@pytest.mark.parametrize('name', ['Emotion6', 'UnbiasedEmo'])
def test_root_may_be_the_folder_of_images_itself(name, tmp_path):
    write_miniature(name, tmp_path)
    inside = names(read(name, tmp_path / 'images', 'val'))
    assert [f'images/{n}' for n in inside] == names(
        read(name, tmp_path, 'val')
    )


@pytest.mark.parametrize(
    ('name', 'place'),
    [('Emo8', 'images'), ('HECO-folders', 'Data'), ('HECO-folders', 'images')],
)
def test_class_folders_may_be_in_a_folder(name, place, tmp_path):
    root = write_miniature(name, tmp_path / 'before')
    before = class_names(read(name, root))
    (tmp_path / 'after').mkdir()
    shutil.move(root, tmp_path / 'after' / place)
    after = class_names(read(name, tmp_path / 'after'))
    assert after == {f'{place}/{path}': c for path, c in before.items()}


def test_ube_is_two_levels_deep(tmp_path):
    write_miniature('UnbiasedEmo', tmp_path, per_class=20)
    found = class_names(read('UnbiasedEmo', tmp_path))
    assert found['images/joy/house/joy_house_001.jpg'] == 'joy'
    assert {path.count('/') for path in found} == {3}
    # An object called as another class is.
    draw(tmp_path, 'images/joy/love/joy_love_000.jpg')
    found = class_names(read('UnbiasedEmo', tmp_path))
    assert found['images/joy/love/joy_love_000.jpg'] == 'joy'


@pytest.mark.parametrize('name', MINIATURES)
def test_what_macos_leaves_behind_is_ignored(name, tmp_path):
    write_miniature(name, tmp_path, per_class=10)
    before = names(read(name, tmp_path))
    image = Path(before[0])
    junk = [
        tmp_path / '.DS_Store',
        tmp_path / image.with_name('.DS_Store'),
        tmp_path / image.with_name(f'._{image.name}'),
        tmp_path / '__MACOSX' / image.with_name(f'._{image.name}'),
        tmp_path / '__MACOSX' / image,
        (tmp_path / image).parents[1] / '__MACOSX' / f'._{image.name}',
        tmp_path / '.hidden' / image.name,
    ]
    for path in junk:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'\0\5\x16\7')
    assert names(read(name, tmp_path)) == before


def add_other_files(root):
    for folder in ('notes', 'thumbs'):
        (root / folder).mkdir()
    for name in ('notes/agreement.csv', 'readme.txt', 'awe/urls.txt'):
        (root / name).touch()


def add_links(root):
    for part in ('train', 'test'):
        (root / part / 'Angry').symlink_to('Anger')


def add_outer_class(root):
    """The folder of images goes before the root."""
    draw(root, 'anger/crops/anger_00000.jpg')


@pytest.mark.parametrize(
    ('name', 'add'),
    [
        ('FI', add_other_files),
        ('CAERS', add_links),
        ('Emotion6', add_outer_class),
        ('UnbiasedEmo', add_outer_class),
    ],
)
def test_additions_that_change_nothing(name, add, tmp_path):
    write_miniature(name, tmp_path)
    before = names(read(name, tmp_path))
    add(tmp_path)
    assert names(read(name, tmp_path)) == before


def test_case_of_folders_and_endings(tmp_path):
    endings = ['JPG', 'Jpeg', 'png', 'BMP', 'gif', 'webp', 'tiff', 'jpg']
    folders = [
        'AMUSEMENT', 'Anger', 'aWe', 'CONTENTMENT',
        'Disgust', 'Excitement', 'Fear', 'SADNESS',
    ]  # fmt: skip
    expected = {}
    for folder in folders:
        for i, ending in enumerate(endings):
            path = draw(tmp_path, f'{folder}/{i}.{ending}')
            expected[path.relative_to(tmp_path).as_posix()] = folder.lower()
    assert class_names(read('FI', tmp_path)) == expected


def test_class_folders_may_be_links(tmp_path):
    real = write_miniature('FI', tmp_path / 'disk')
    root = tmp_path / 'root'
    root.mkdir()
    for folder in real.iterdir():
        (root / folder.name).symlink_to(folder)
    before = class_names(read('FI', real))
    assert class_names(read('FI', root)) == before
    (root / 'gone').symlink_to(tmp_path / 'nowhere')
    (root / 'awe/circle').symlink_to(real / 'awe')
    assert class_names(read('FI', root)) == before
    draw(tmp_path, 'more/1.jpg')
    (root / 'awe/more').symlink_to(tmp_path / 'more')
    found = class_names(read('FI', root))
    assert found == {**before, 'awe/more/1.jpg': 'awe'}


@pytest.mark.parametrize(
    ('name', 'old', 'new'),
    [
        ('CAERS', 'train', 'Train'),
        ('Emotion6', 'images', 'Images'),
        ('HECO', 'Data', 'data'),
    ],
)
def test_case_of_the_outer_folders(name, old, new, tmp_path):
    write_miniature(name, tmp_path)
    before = class_names(read(name, tmp_path))
    shutil.move(tmp_path / old, tmp_path / new)
    assert len(class_names(read(name, tmp_path))) == len(before)
