"""Messages about downloads of another layout."""

import shutil
from pathlib import Path

import pytest

import uniemox_mm.datasets as datasets
from tests.datasets.miniatures import (
    CAERS,
    MINIATURES,
    NAMES,
    SPLITS,
    UBE,
    draw,
    read,
    write_miniature,
)


def refusal(name, root, error=ValueError):
    """The message, which must show the name and the expected classes."""
    with pytest.raises(error) as caught:
        read(name, root)
    text = str(caught.value)
    dataset = getattr(datasets, name.split('-')[0])
    for part in (str(root), dataset.__name__, *dataset.METAINFO['classes']):
        assert part in text
    return text


@pytest.mark.parametrize('name', NAMES)
def test_message_has_cause_tree_and_content(name, tmp_path):
    draw(tmp_path, 'photo.jpg')
    text = refusal(name, tmp_path)
    assert 'no class folder' in text and text.endswith('holds photo.jpg')
    for i in range(12):
        draw(tmp_path, f'{i:02d}/photo.jpg')
    (tmp_path / 'photo.jpg').unlink()
    assert refusal(name, tmp_path).endswith(' 08/, 09/, ...')


@pytest.mark.parametrize('name', NAMES)
def test_empty_and_missing_roots(name, tmp_path):
    assert refusal(name, tmp_path).endswith('holds nothing')
    text = refusal(name, tmp_path / 'nowhere', FileNotFoundError)
    assert 'nowhere: no such folder' in text


@pytest.mark.parametrize('empty', [False, True])
@pytest.mark.parametrize(
    ('name', 'folders', 'what'),
    [
        ('FI', ['fear'], 'no images of fear.'),
        ('Emo8', ['fear', 'awe'], 'no images of awe, fear.'),
        ('HECO-folders', ['Peace'], 'no images of Peace.'),
        ('Emotion6', ['images/joy'], 'no images of joy in images.'),
        ('UnbiasedEmo', ['images/love'], 'no images of love in images.'),
        ('CAERS', ['train/Anger'], 'no images of Anger in train.'),
        ('CAERS', ['test/Sad'], 'no images of Sad in test.'),
    ],
)
def test_missing_and_empty_classes(name, folders, what, empty, tmp_path):
    write_miniature(name, tmp_path, per_class=5)
    for folder in folders:
        shutil.rmtree(tmp_path / folder)
        if empty:
            (tmp_path / folder).mkdir()
            (tmp_path / folder / 'Thumbs.db').touch()
    assert what in refusal(name, tmp_path)


@pytest.mark.parametrize('part', ['train', 'test'])
def test_caers_needs_both_of_its_parts(part, tmp_path):
    write_miniature('CAERS', tmp_path, per_class=10)
    shutil.rmtree(tmp_path / part)
    assert f'no folder {part}.\n' in refusal('CAERS', tmp_path)


@pytest.mark.parametrize(
    ('name', 'folder', 'hint'),
    [
        ('FI', 'joy', '\nExpected'),
        ('CAERS', 'test/Contempt', '\nExpected'),
        ('Emotion6', 'images/love', ' A dataset with love is Emotion-6 of'),
        ('UnbiasedEmo', 'images/Disgust', ' A dataset with disgust is Emot'),
    ],
)
def test_images_of_a_foreign_class_are_refused(name, folder, hint, tmp_path):
    write_miniature(name, tmp_path, per_class=5)
    for i in range(3):
        draw(tmp_path, f'{folder}/{i}.jpg')
    text = refusal(name, tmp_path)
    foreign = repr(Path(folder).name)
    assert f'{folder} holds images (3), but {foreign} is not a class' in text
    assert f'class.{hint}' in text


@pytest.mark.parametrize('name', ['Emotion6', 'UnbiasedEmo'])
def test_emotion_6_of_panda_is_another_dataset(name, tmp_path):
    """It has UBE's classes without inner folders."""
    for emotion in UBE:
        draw(tmp_path, f'images/{emotion}/{emotion}_0.jpg')
    assert 'Emotion-6 of Panda et al.' in refusal(name, tmp_path)


@pytest.mark.parametrize('name', MINIATURES)
def test_a_root_one_level_too_high_is_recognized(name, tmp_path):
    inner = write_miniature(name, tmp_path / 'unzipped')
    with pytest.raises(ValueError, match=f'data_root is {inner}'):
        read(name, tmp_path)


def test_one_part_of_a_split_download_is_not_recommended(tmp_path):
    for split in SPLITS:
        write_miniature('FI', tmp_path / split, per_class=2)
    text = refusal('FI', tmp_path)
    assert 'test, train, val: if these are splits' in text
    assert 'data_root' not in text


def test_a_shipped_val_folder_of_caers_is_not_dropped(tmp_path):
    write_miniature('CAERS', tmp_path)
    for emotion in CAERS:
        draw(tmp_path, f'val/{emotion}/0001.png')
    assert 'val has class folders too' in refusal('CAERS', tmp_path)
