import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest

from uniemox_mm.datasets import EmoSet, TextFeatures, write_text_features

TEACHER = dict(model='ViT-B-16', embed_dim=4, text_weights_sha256='abc')
CAPTIONS = ['a dog', 'a cat', 'a dog', 'a bird']


def encode(captions):
    """Stands for any encoder: a feature made from the letters."""
    return np.array(
        [[len(c), ord(c[-1]), ord(c[2]), 1] for c in captions], np.float32
    )


@pytest.fixture
def folder(tmp_path):
    write_text_features(tmp_path / 'cache', CAPTIONS, encode, TEACHER, 2)
    return tmp_path / 'cache'


def test_rows_are_those_of_the_captions(folder):
    features = TextFeatures(folder, TEACHER, 4)
    for i, caption in enumerate(CAPTIONS):
        found = features.row(i, caption, 'x.jpg')
        np.testing.assert_array_equal(found, encode([caption])[0])
        assert found.dtype == np.float32


def test_equal_captions_are_encoded_once(tmp_path):
    seen = []

    def spy(captions):
        seen.extend(captions)
        return encode(captions)

    done = []
    write_text_features(
        tmp_path / 'c', CAPTIONS, spy, TEACHER, 2, progress=done.append
    )
    assert seen == ['a dog', 'a cat', 'a bird']
    assert done == [2, 3]


def test_is_memory_mapped_also_in_workers(tmp_path):
    many = [f'a {i}' for i in range(500)]
    write_text_features(tmp_path / 'c', many, encode, TEACHER)
    features = TextFeatures(tmp_path / 'c', TEACHER, 500)
    features.row(0, 'a 0', 'x.jpg')
    assert isinstance(features._features, np.memmap)
    pickled = pickle.dumps(features)
    assert len(pickled) < 1000
    copy = pickle.loads(pickled)
    np.testing.assert_array_equal(
        copy.row(3, 'a 3', 'x.jpg'), encode(['a 3'])[0]
    )


def test_a_changed_caption_says_what_differs(folder):
    features = TextFeatures(folder, TEACHER, 4)
    with pytest.raises(ValueError) as error:
        features.row(1, 'a horse', 'image/awe_1.jpg')
    for part in (str(folder), "'a cat'", 'image/awe_1.jpg', "'a horse'"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ('teacher', 'count', 'difference'),
    [
        (
            dict(TEACHER, model='ViT-L-14'),
            4,
            "model was 'ViT-B-16' and is 'ViT-L-14'",
        ),
        (
            dict(TEACHER, text_weights_sha256='xyz'),
            4,
            "text_weights_sha256 was 'abc' and is 'xyz'",
        ),
        (TEACHER, 5, 'count was 4 and is 5'),
    ],
)
def test_a_foreign_cache_says_what_differs(folder, teacher, count, difference):
    with pytest.raises(ValueError) as error:
        TextFeatures(folder, teacher, count)
    assert difference in str(error.value)
    assert 'remove the folder' in str(error.value)


def test_tuples_in_a_config_do_not_make_a_cache_stale(tmp_path):
    teacher = dict(TEACHER, text_architecture=dict(layers=(1, 2)))
    write_text_features(tmp_path / 'c', CAPTIONS, encode, teacher)
    features = TextFeatures(tmp_path / 'c', teacher, 4)
    assert features.row(3, 'a bird', 'x.jpg')[0] == 6


def test_a_damaged_cache_is_refused(folder):
    np.save(folder / 'features.npy', np.zeros((3, 4), np.float32))
    with pytest.raises(ValueError, match=r'features.npy is \(3, 4\)'):
        TextFeatures(folder, TEACHER, 4)
    (folder / 'meta.json').unlink()
    with pytest.raises(ValueError, match='not a cache of text features'):
        TextFeatures(folder, TEACHER, 4)


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def fail(captions):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_text_features(tmp_path / 'c', CAPTIONS, fail, TEACHER)
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_it(folder):
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask


def test_annotations_are_read_once_a_run(own_drawn, tmp_path):
    dataset = EmoSet(str(own_drawn), caption=dict())
    captions = [dataset.caption_of(i) for i in range(len(dataset))]
    write_text_features(tmp_path / 'c', captions, encode, TEACHER)
    dataset.attach_text_features(TextFeatures(tmp_path / 'c', TEACHER, 16))
    first = dataset[2]
    assert first['caption'] == captions[2]
    Path(first['annotation']).unlink()
    np.testing.assert_array_equal(
        dataset[2]['text_feature'], first['text_feature']
    )


def test_the_faster_of_two_runs_wins(tmp_path):
    folder = tmp_path / 'c'

    def overtaken(captions):
        if not folder.exists():
            write_text_features(folder, CAPTIONS, encode, TEACHER)
        return 0 * encode(captions)

    write_text_features(folder, CAPTIONS, overtaken, TEACHER)
    features = TextFeatures(folder, TEACHER, 4)
    assert features.row(0, 'a dog', 'x.jpg')[0] == 5
    assert list(tmp_path.iterdir()) == [folder]


def test_dataset_hands_out_its_rows(drawn, tmp_path):
    dataset = EmoSet(str(drawn), caption=dict())
    captions = [dataset.caption_of(i) for i in range(len(dataset))]
    write_text_features(tmp_path / 'c', captions, encode, TEACHER)
    dataset.attach_text_features(TextFeatures(tmp_path / 'c', TEACHER, 24))
    for i in (0, 7, 23):
        np.testing.assert_array_equal(
            dataset[i]['text_feature'], encode([captions[i]])[0]
        )
    without = EmoSet(str(drawn), caption=dict(emotion=False))
    without.attach_text_features(TextFeatures(tmp_path / 'c', TEACHER, 24))
    with pytest.raises(ValueError, match='was made from the caption'):
        without[0]
