import itertools
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers import C3, TEACHER, build
from uniemox_mm.datasets import BadSampleError, EmoSet, ImageFeatures
from uniemox_mm.datasets.features import image_feature_cache
from uniemox_mm.datasets.features.image_feature_cache import (
    compute_image_features,
)

FILES = ['features.npy', 'hashes.npy', 'images.txt', 'meta.json']


def compute(folder, dataset, teacher, rank=0, world_size=1, **changes):
    options = dict(batch_size=3, workers=0, log=lambda text: None, **changes)
    compute_image_features(
        folder,
        dataset,
        teacher,
        rank=rank,
        world_size=world_size,
        **options,
    )


def contents(folder):
    return [(folder / name).read_bytes() for name in FILES]


@pytest.fixture
def small_chunks(monkeypatch):
    """Five chunks of the 24 images, one with 4."""
    monkeypatch.setattr(image_feature_cache, '_CHUNK', 5)


def counted(teacher, fail_after=None):
    """Counts the images a teacher encodes; may fail like a killed job."""
    encode, seen = teacher.encode_image, []

    def spy(images):
        if fail_after is not None and len(seen) >= fail_after:
            raise KeyboardInterrupt
        seen.append(len(images))
        return encode(images)

    teacher.encode_image = spy
    return seen


def test_features_are_those_of_whole_images(own_drawn, tmp_path):
    """Squeezed into the teacher's square; nothing is cut off."""
    dataset = EmoSet(str(own_drawn))
    rng = np.random.default_rng(0)
    paths = [dataset.get_data_info(i)['img_path'] for i in range(16)]
    for path, size in zip(
        paths[:3], [(90, 40), (40, 90), (32, 32)], strict=True
    ):
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    teacher = build(TEACHER)
    messages = []
    compute_image_features(
        tmp_path / 'c', dataset, teacher, 5, 2, 0, 1, messages.append
    )
    assert messages == [
        'Computing the image features of 16 images, once, into '
        f'{tmp_path / "c"}'
    ]

    cfg = teacher.clip.visual.preprocess_cfg
    mean, std = (torch.tensor(cfg[k]).view(3, 1, 1) for k in ('mean', 'std'))
    batch = []
    for path in paths:
        image = Image.open(path).convert('RGB')
        image = image.resize((32, 32), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
        batch.append((pixels - mean) / std)
    with torch.no_grad():
        expected = teacher.clip.encode_image(torch.stack(batch)).numpy()
    stored = np.load(tmp_path / 'c/features.npy')
    assert stored.dtype == np.float16 and stored.shape == (16, C3)
    np.testing.assert_allclose(stored, expected, rtol=1e-3, atol=1e-3)
    assert np.abs(expected).max() > 0.5

    features = ImageFeatures(tmp_path / 'c', teacher.image_fingerprint(), 16)
    for i in (0, 15):
        row = features.row(i, dataset.image_key(i))
        np.testing.assert_array_equal(row, stored[i])


@pytest.mark.usefixtures('small_chunks')
@pytest.mark.parametrize('done', [0, 1, 4])
def test_a_killed_job_goes_on(drawn, tmp_path, done):
    dataset, teacher = EmoSet(str(drawn)), build(TEACHER)
    compute(tmp_path / 'whole', dataset, teacher)
    with pytest.raises(KeyboardInterrupt):
        killed = build(TEACHER)
        counted(killed, fail_after=2 * done + 1)  # two batches a chunk
        compute(tmp_path / 'c', dataset, killed)
    assert not (tmp_path / 'c').exists()
    parts = sorted(path.name for path in (tmp_path / '.c-parts').iterdir())
    assert parts == [
        *(f'00000{chunk}.json' for chunk in range(done)),
        'settings.json',
    ]
    images = counted(teacher)
    compute(tmp_path / 'c', dataset, teacher)
    assert sum(images) == 24 - 5 * done
    assert contents(tmp_path / 'c') == contents(tmp_path / 'whole')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['c', 'whole']


@pytest.mark.usefixtures('small_chunks')
@pytest.mark.parametrize('first', [0, 1])
def test_two_processes_write_the_file_of_one(
    drawn, tmp_path, first, monkeypatch
):
    """Whichever starts first: it waits for the chunks of the other."""
    waiting = threading.Event()

    def sleep(seconds):
        assert seconds == 1
        waiting.set()
        threading.Event().wait(0.01)

    monkeypatch.setattr(image_feature_cache.time, 'sleep', sleep)
    dataset = EmoSet(str(drawn))
    compute(tmp_path / 'whole', dataset, build(TEACHER))
    teachers = [build(TEACHER), build(TEACHER)]
    images = [counted(teacher) for teacher in teachers]
    args = [
        (tmp_path / 'c', dataset, teachers[rank], rank, 2) for rank in (0, 1)
    ]
    if first == 1:
        compute(*args[1])
        assert not (tmp_path / 'c').exists()
        compute(*args[0])
        assert not waiting.is_set()
    else:
        main = threading.Thread(target=compute, args=args[0])
        main.start()
        assert waiting.wait(30)
        assert not (tmp_path / 'c').exists()
        compute(*args[1])
        main.join(30)
    assert [sum(each) for each in images] == [5 + 5 + 4, 5 + 5]
    assert contents(tmp_path / 'c') == contents(tmp_path / 'whole')
    assert not (tmp_path / '.c-parts').exists()


@pytest.mark.usefixtures('small_chunks')
def test_a_process_that_comes_too_late_leaves_nothing(drawn, tmp_path):
    dataset, teacher = EmoSet(str(drawn)), build(TEACHER)
    compute(tmp_path / 'c', dataset, teacher)
    before = contents(tmp_path / 'c')
    images = counted(teacher)
    compute(tmp_path / 'c', dataset, teacher, rank=1, world_size=2)
    assert images == []
    assert contents(tmp_path / 'c') == before
    assert list(tmp_path.iterdir()) == [tmp_path / 'c']


def test_nothing_of_others_is_touched(drawn, tmp_path):
    others = ['c-parts', '.c', '.c-parts-of-others', '.d-parts', 'image']
    for name in others:
        (tmp_path / name).mkdir()
        (tmp_path / name / 'file').write_text(name)
    compute(tmp_path / 'c', EmoSet(str(drawn)), build(TEACHER))
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {*others, 'c'}
    for name in others:
        assert (tmp_path / name / 'file').read_text() == name
    assert sorted(p.name for p in (tmp_path / 'c').iterdir()) == FILES


@pytest.mark.usefixtures('small_chunks')
def test_the_beginning_of_another_cache_is_refused(drawn, tmp_path):
    dataset, teacher = EmoSet(str(drawn)), build(TEACHER)
    counted(teacher, fail_after=2)
    with pytest.raises(KeyboardInterrupt):
        compute(tmp_path / 'c', dataset, teacher)
    turned = EmoSet(str(drawn), split=['val', 'train'])
    with pytest.raises(ValueError) as error:
        compute(tmp_path / 'c', turned, teacher)
    was, now = (
        image_feature_cache._hash([d.image_key(i) for i in range(len(d))])
        for d in (dataset, turned)
    )
    assert str(error.value) == (
        f'{tmp_path}/.c-parts: holds the beginning of another run: chunks was '
        f"5 and is 7; images was '{was}' and is '{now}'. Repeat that command "
        'to finish it, or remove the folder to start anew'
    )


def broken(root, **options):
    """A data set whose fourth image ends after 100 bytes."""
    dataset = EmoSet(str(root), **options)
    path = Path(dataset.get_data_info(3)['img_path'])
    path.write_bytes(path.read_bytes()[:100])
    return dataset, path


@pytest.mark.parametrize('workers', [0, 1])
def test_a_broken_image_is_named(own_drawn, tmp_path, workers):
    dataset, path = broken(own_drawn)
    with pytest.raises(BadSampleError) as error:
        compute_image_features(
            tmp_path / 'c', dataset, build(TEACHER), 3, workers, 0, 1, print
        )
    assert f'{path}: expected a readable image' in str(error.value)
    assert not (tmp_path / 'c').exists()


def test_a_broken_image_is_black_when_it_is_skipped(own_drawn, tmp_path):
    dataset, _ = broken(own_drawn, on_bad_sample='skip')
    teacher = build(TEACHER)
    compute(tmp_path / 'c', dataset, teacher)
    stored = np.load(tmp_path / 'c/features.npy')
    cfg = teacher.clip.visual.preprocess_cfg
    mean, std = (torch.tensor(cfg[k]).view(3, 1, 1) for k in ('mean', 'std'))
    black = (-mean / std).expand(1, 3, 32, 32)
    with torch.no_grad():
        expected = teacher.clip.encode_image(black)[0].numpy()
    np.testing.assert_allclose(stored[3], expected, rtol=1e-3, atol=1e-3)
    for a, b in itertools.combinations(range(16), 2):
        assert not np.array_equal(stored[a], stored[b])


def test_a_place_that_cannot_be_written_is_refused_first(
    drawn, tmp_path, monkeypatch
):
    teacher = build(TEACHER)
    images = counted(teacher)
    asked = []

    def access(path, mode):
        asked.append((path, mode))
        return False

    monkeypatch.setattr(os, 'access', access)
    folder = tmp_path / 'not/there/yet'
    with pytest.raises(PermissionError) as error:
        compute(folder, EmoSet(str(drawn)), teacher)
    assert str(error.value) == (
        f'{folder}: the image features cannot be written there; give '
        'default_hooks.image_features.folder another path'
    )
    assert asked == [(tmp_path, os.W_OK)]
    assert images == [] and list(tmp_path.iterdir()) == []
