import itertools
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from tests.helpers import C3, TEACHER, build
from uniemox_mm.datasets import BadSampleError, EmoSet, ImageFeatures
from uniemox_mm.datasets.features import image_features
from uniemox_mm.datasets.features.feature_cache import FILE
from uniemox_mm.datasets.features.image_features import compute_image_features


def compute(folder, dataset, teacher, **options):
    options = dict(batch_size=3, log=lambda text: None, **options)
    compute_image_features(folder, dataset, teacher, **options)


@pytest.fixture
def small_chunks(monkeypatch):
    """Five chunks of the 24 images, one with 4."""
    monkeypatch.setattr(image_features, '_CHUNK', 5)


def counted(teacher, fail_after=None):
    """Count the images a teacher encodes; may fail like a killed job."""
    encode, seen = teacher.encode_image, []

    def spy(images):
        if fail_after is not None and len(seen) >= fail_after:
            raise KeyboardInterrupt
        seen.append(len(images))
        return encode(images)

    teacher.encode_image = spy
    return seen


def features_of(teacher, images):
    """The teacher's features of (N, H, W, 3) RGB pixels, computed directly."""
    cfg = teacher.clip.visual.preprocess_cfg
    mean, std = (torch.tensor(cfg[k]).view(3, 1, 1) for k in ('mean', 'std'))
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        return teacher.clip.encode_image((pixels - mean) / std).numpy()


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
    compute(tmp_path / 'c', dataset, teacher, workers=2)
    images = [Image.open(path).convert('RGB') for path in paths]
    expected = features_of(
        teacher,
        [
            np.array(i.resize((32, 32), Image.Resampling.BICUBIC))
            for i in images
        ],
    )
    stored = load_file(tmp_path / 'c' / FILE)['features']
    assert stored.dtype == np.float16 and stored.shape == (16, C3)
    np.testing.assert_allclose(stored, expected, rtol=1e-3, atol=1e-3)
    assert np.abs(expected).max() > 0.5

    features = ImageFeatures(tmp_path / 'c', teacher.image_fingerprint(), 16)
    for i in (0, 15):
        row = features.row(i, dataset.image_key(i))
        np.testing.assert_array_equal(row, stored[i])


@pytest.mark.usefixtures('small_chunks')
@pytest.mark.parametrize('done', [0, 1, 4])
def test_a_killed_job_is_resumed(drawn, tmp_path, done):
    dataset, teacher = EmoSet(str(drawn)), build(TEACHER)
    compute(tmp_path / 'whole', dataset, teacher)
    with pytest.raises(KeyboardInterrupt):
        killed = build(TEACHER)
        counted(killed, fail_after=2 * done + 1)  # two batches a chunk
        compute(tmp_path / 'c', dataset, killed)
    assert [path.name for path in (tmp_path / 'c').iterdir()] == ['chunks']
    chunks = sorted(path.name for path in (tmp_path / 'c/chunks').iterdir())
    done_files = [f'00000{chunk}.json' for chunk in range(done)]
    assert chunks == [*done_files, 'settings.json']
    images = counted(teacher)
    compute(tmp_path / 'c', dataset, teacher)
    assert sum(images) == 24 - 5 * done
    whole = (tmp_path / 'whole' / FILE).read_bytes()
    assert (tmp_path / 'c' / FILE).read_bytes() == whole
    assert [path.name for path in (tmp_path / 'c').iterdir()] == [FILE]


@pytest.mark.usefixtures('small_chunks')
@pytest.mark.parametrize('first', [0, 1])
def test_two_processes_write_the_file_of_one(
    drawn, tmp_path, first, monkeypatch
):
    """Rank 0 waits for the chunks of rank 1, whichever starts first."""
    waiting = threading.Event()

    def sleep(seconds):
        assert seconds == 1
        waiting.set()
        threading.Event().wait(0.01)

    monkeypatch.setattr('time.sleep', sleep)
    dataset = EmoSet(str(drawn))
    compute(tmp_path / 'whole', dataset, build(TEACHER))
    teachers = [build(TEACHER), build(TEACHER)]
    images = [counted(teacher) for teacher in teachers]
    file = tmp_path / 'c' / FILE

    def run(rank):
        options = dict(rank=rank, world_size=2)
        compute(tmp_path / 'c', dataset, teachers[rank], **options)

    if first == 1:
        run(1)
        assert not file.exists()
        run(0)
        assert not waiting.is_set()
    else:
        main = threading.Thread(target=run, args=[0])
        main.start()
        assert waiting.wait(30)
        assert not file.exists()
        run(1)
        main.join(30)
    assert [sum(each) for each in images] == [5 + 5 + 4, 5 + 5]
    assert file.read_bytes() == (tmp_path / 'whole' / FILE).read_bytes()
    late = counted(build(TEACHER))
    run(1)  # too late
    assert late == []
    assert [path.name for path in (tmp_path / 'c').iterdir()] == [FILE]


@pytest.mark.usefixtures('small_chunks')
def test_the_beginning_of_another_cache_is_refused(drawn, tmp_path):
    dataset, teacher = EmoSet(str(drawn)), build(TEACHER)
    counted(teacher, fail_after=2)
    with pytest.raises(KeyboardInterrupt):
        compute(tmp_path / 'c', dataset, teacher)
    turned = EmoSet(str(drawn), split=['val', 'train'])
    with pytest.raises(
        ValueError, match=r'c/chunks: .*chunks was 5 and is 7; images was '
    ):
        compute(tmp_path / 'c', turned, teacher)


def broken(root, **options):
    """A data set whose fourth image ends after 100 bytes."""
    dataset = EmoSet(str(root), **options)
    path = Path(dataset.get_data_info(3)['img_path'])
    path.write_bytes(path.read_bytes()[:100])
    return dataset, path


@pytest.mark.parametrize('workers', [0, 1])
def test_a_broken_image_is_named(own_drawn, tmp_path, workers):
    dataset, path = broken(own_drawn)
    with pytest.raises(BadSampleError, match=f'{path}.*readable image'):
        compute(tmp_path / 'c', dataset, build(TEACHER), workers=workers)
    assert not (tmp_path / 'c' / FILE).exists()


def test_a_skipped_image_is_black(own_drawn, tmp_path):
    dataset, _ = broken(own_drawn, on_bad_sample='skip')
    teacher = build(TEACHER)
    compute(tmp_path / 'c', dataset, teacher)
    stored = load_file(tmp_path / 'c' / FILE)['features']
    (expected,) = features_of(teacher, [np.zeros((32, 32, 3), np.uint8)])
    np.testing.assert_allclose(stored[3], expected, rtol=1e-3, atol=1e-3)
    for a, b in itertools.combinations(range(16), 2):
        assert not np.array_equal(stored[a], stored[b])


def test_an_unwritable_folder_is_refused_first(drawn, tmp_path, monkeypatch):
    teacher = build(TEACHER)
    images = counted(teacher)
    asked = []
    monkeypatch.setattr(os, 'access', lambda *args: asked.append(args))
    folder = tmp_path / 'not/there/yet'
    with pytest.raises(
        PermissionError,
        match=f'{folder}: .*default_hooks.image_features.folder',
    ):
        compute(folder, EmoSet(str(drawn)), teacher)
    assert asked == [(tmp_path, os.W_OK)]
    assert images == [] and list(tmp_path.iterdir()) == []
