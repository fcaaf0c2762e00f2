"""Messages about downloads that are laid out otherwise."""

import shutil
from pathlib import Path

import pytest

from tests.datasets.miniatures import (
    MINIATURES,
    SPLITS,
    draw,
    read,
    write_miniature,
)
from uniemox_mm.datasets import CAERS

TREES = {
    'CAERS': [
        'train/Anger (or Angry)/0001.png ...',
        'train/Disgust/ Fear/ Happy/ Neutral/ Sad/ Surprise/',
        'test/ (the same)',
    ],
    'FI': [
        'amusement/*.jpg',
        'anger/ awe/ contentment/ disgust/ excitement/ fear/ sadness/',
    ],
    'Emotion6': [
        'images/anger/*.jpg',
        'images/disgust/ fear/ joy/ sadness/ surprise/',
    ],
    'UnbiasedEmo': [
        'images/anger/<object>/*.jpg ...',
        'images/fear/ joy/ love/ sadness/ surprise/ (the same)',
    ],
    'HECO': [
        'Data/<image> ... (or Images)',
        'Labels/HECO_Labels.csv',
        'or',
        'Surprise/<image> ...',
        'Excitement/ Happiness/ Peace/ Disgust/ Anger/ Fear/ Sadness/',
    ],
    'Emo8': [
        'amusement/*.jpg',
        'awe/ contentment/ excitement/ anger/ disgust/ fear/ sadness/',
    ],
}


def tree(name, root):
    return '\n'.join([f'{root}/', *(f'  {line}' for line in TREES[name])])


def message(name, root, what, holds):
    """The whole text about a folder that is laid out otherwise."""
    return (
        f'{root}: is not laid out as {name}: {what}.\nExpected\n'
        f'{tree(name, root)}\nbut it holds {holds}'
    )


@pytest.mark.parametrize('name', TREES)
def test_wrong_layouts_are_shown_what_is_expected(name, tmp_path):
    draw(tmp_path, 'photo.jpg')
    with pytest.raises(ValueError) as error:
        read(name, tmp_path)
    nothing = 'no folder of any of its classes is there'
    assert str(error.value) == message(name, tmp_path, nothing, 'photo.jpg')
    for i in range(12):
        draw(tmp_path, f'{i:02d}/photo.jpg')
    (tmp_path / 'photo.jpg').unlink()
    with pytest.raises(ValueError) as error:
        read(name, tmp_path)
    holds = ', '.join(f'{i:02d}/' for i in range(10)) + ', ...'
    assert str(error.value) == message(name, tmp_path, nothing, holds)


@pytest.mark.parametrize('name', TREES)
def test_empty_and_missing_roots(name, tmp_path):
    with pytest.raises(ValueError) as error:
        read(name, tmp_path)
    assert str(error.value).endswith('but it holds nothing')
    nowhere = tmp_path / 'nowhere'
    with pytest.raises(FileNotFoundError) as error:
        read(name, nowhere)
    assert str(error.value) == (
        f'{nowhere}: no such folder; expected the root of {name}:\n'
        + tree(name, nowhere)
    )


@pytest.mark.parametrize('empty', [False, True])
@pytest.mark.parametrize(
    ('name', 'folders', 'what'),
    [
        ('FI', ['fear'], 'no images of fear'),
        ('Emo8', ['fear', 'awe'], 'no images of awe, fear'),
        ('HECO-folders', ['Peace'], 'no images of Peace'),
        ('Emotion6', ['images/joy'], 'no images of joy in images'),
        ('UnbiasedEmo', ['images/love'], 'no images of love in images'),
        ('CAERS', ['train/Anger'], 'no images of Anger in train'),
        ('CAERS', ['test/Sad'], 'no images of Sad in test'),
    ],
)
def test_missing_and_empty_classes(name, folders, what, empty, tmp_path):
    write_miniature(name, tmp_path, per_class=5)
    for folder in folders:
        shutil.rmtree(tmp_path / folder)
        if empty:
            (tmp_path / folder).mkdir()
            (tmp_path / folder / 'Thumbs.db').touch()
    with pytest.raises(ValueError) as error:
        read(name, tmp_path)
    holds = sorted(f'{path.name}/' for path in tmp_path.iterdir())
    assert str(error.value) == message(
        name.split('-')[0], tmp_path, what, ', '.join(holds)
    )


@pytest.mark.parametrize('part', ['train', 'test'])
def test_caers_needs_both_of_its_parts(part, tmp_path):
    write_miniature('CAERS', tmp_path, per_class=10)
    shutil.rmtree(tmp_path / part)
    with pytest.raises(ValueError) as error:
        read('CAERS', tmp_path)
    assert f'CAERS: there is no folder {part}.\n' in str(error.value)


@pytest.mark.parametrize(
    ('name', 'folder', 'hint'),
    [
        ('FI', 'joy', ''),
        ('CAERS', 'test/Contempt', ''),
        (
            'Emotion6',
            'images/love',
            'A dataset with love is Emotion-6 of Panda et al. or their '
            'UnbiasedEmo, not the Emotion6 of Peng et al. with disgust',
        ),
        (
            'UnbiasedEmo',
            'images/Disgust',
            'A dataset with disgust is Emotion6 of Peng et al., not '
            'UnbiasedEmo',
        ),
    ],
)
def test_images_of_a_foreign_class_are_refused(name, folder, hint, tmp_path):
    write_miniature(name, tmp_path, per_class=5)
    for i in range(3):
        draw(tmp_path, f'{folder}/{i}.jpg')
    with pytest.raises(ValueError) as error:
        read(name, tmp_path)
    text = str(error.value)
    assert text.startswith(
        f'{tmp_path}: is not laid out as {name}: {tmp_path / folder} '
        f'holds images (3), but there is no class {Path(folder).name!r}. '
        f'{hint}'
        if hint
        else f'{tmp_path}: is not laid out as {name}: {tmp_path / folder} '
        f'holds images (3), but there is no class {Path(folder).name!r}.\n'
    )
    assert tree(name, tmp_path) in text


def test_emotion_6_of_panda_is_not_emotion6(tmp_path):
    """It has love and no disgust; its other classes are the same."""
    for emotion in ('anger', 'fear', 'joy', 'love', 'sadness', 'surprise'):
        draw(tmp_path, f'images/{emotion}/{emotion}_0.jpg')
    with pytest.raises(ValueError) as error:
        read('Emotion6', tmp_path)
    assert (
        f'{tmp_path}/images/love holds images (1), but there is no class '
        "'love'. A dataset with love is Emotion-6 of Panda et al. or their "
        'UnbiasedEmo, not the Emotion6 of Peng et al. with disgust'
    ) in str(error.value)


@pytest.mark.parametrize('name', MINIATURES)
def test_a_root_one_level_too_high_is_recognized(name, tmp_path):
    inner = write_miniature(name, tmp_path / 'unzipped')
    with pytest.raises(ValueError, match=f'Perhaps data_root is {inner}'):
        read(name, tmp_path)


def test_one_part_of_a_split_download_is_not_recommended(tmp_path):
    for split in SPLITS:
        write_miniature('FI', tmp_path / split, per_class=2)
    with pytest.raises(ValueError) as error:
        read('FI', tmp_path)
    assert f'Perhaps data_root is {tmp_path}/test' not in str(error.value)


def test_a_shipped_val_folder_of_caers_is_not_dropped(tmp_path):
    write_miniature('CAERS', tmp_path)
    for emotion in CAERS.METAINFO['classes']:
        draw(tmp_path, f'val/{emotion}/0001.png')
    with pytest.raises(ValueError, match='val holds class folders too'):
        read('CAERS', tmp_path)


def test_emotion_6_of_panda_is_not_ube(tmp_path):
    for emotion in ('anger', 'fear', 'joy', 'love', 'sadness', 'surprise'):
        draw(tmp_path, f'images/{emotion}/{emotion}_0.jpg')
    with pytest.raises(ValueError, match='Emotion-6'):
        read('UnbiasedEmo', tmp_path)
