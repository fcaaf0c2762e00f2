from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from uniemox_mm.datasets import EmoSet, TextFeatures
from uniemox_mm.datasets.errors import StaleFeaturesError
from uniemox_mm.datasets.features.feature_cache import FILE
from uniemox_mm.datasets.features.text_features import compute_text_features


class Teacher:
    """Stands for CLIP: a feature is made from the letters."""

    embed_dim = 4

    def __init__(self):
        self.batches = []

    def text_fingerprint(self):
        return dict(model='letters', embed_dim=4)

    def encode_text(self, captions):
        self.batches.append(captions)
        return torch.tensor([encode(c) for c in captions])


class Captions:
    """Stands for a dataset."""

    def __init__(self, *captions):
        self.captions = captions

    def __len__(self):
        return len(self.captions)

    def caption_or_blank(self, index):
        return self.captions[index]


def encode(caption):
    return [float(len(caption)), ord(caption[-1]), ord(caption[2]), 1.0]


def compute(folder, dataset, teacher=None, batch_size=2):
    teacher = teacher or Teacher()
    compute_text_features(
        folder, dataset, teacher, batch_size, log=lambda text: None
    )
    return teacher.text_fingerprint()


def test_equal_captions_are_encoded_once(tmp_path):
    captions = ['a dog', 'a cat', 'a dog', 'a bird']
    teacher = Teacher()
    compute(tmp_path / 'c', Captions(*captions), teacher)
    assert teacher.batches == [['a dog', 'a cat'], ['a bird']]
    stored = load_file(tmp_path / 'c' / FILE)['features']
    assert stored.dtype == np.float32
    assert stored.tolist() == [encode(caption) for caption in captions]


def test_an_interrupted_job_leaves_nothing(tmp_path):
    teacher = Teacher()
    teacher.encode_text = lambda captions: 1 / 0
    with pytest.raises(ZeroDivisionError):
        compute(tmp_path / 'c', Captions('a dog'), teacher)
    assert list(tmp_path.iterdir()) == []


def test_annotations_are_read_once_a_run(own_drawn, tmp_path):
    dataset = EmoSet(str(own_drawn), caption=dict())
    fingerprint = compute(tmp_path / 'c', dataset)
    dataset.attach_text_features(TextFeatures(tmp_path / 'c', fingerprint, 16))
    first = dataset[2]
    assert first['caption'] == dataset.caption_of(2)
    Path(first['annotation']).unlink()
    np.testing.assert_array_equal(
        dataset[2]['text_feature'], first['text_feature']
    )


def test_dataset_returns_its_rows(drawn, tmp_path):
    dataset = EmoSet(str(drawn), caption=dict())
    fingerprint = compute(tmp_path / 'c', dataset)
    dataset.attach_text_features(TextFeatures(tmp_path / 'c', fingerprint, 24))
    for i in (0, 7, 23):
        expected = encode(dataset.caption_of(i))
        assert dataset[i]['text_feature'].tolist() == expected
    without = EmoSet(str(drawn), caption=dict(emotion=False))
    without.attach_text_features(TextFeatures(tmp_path / 'c', fingerprint, 24))
    with pytest.raises(StaleFeaturesError, match='was made from the caption'):
        without[0]
