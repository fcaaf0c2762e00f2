"""Zero-shot classification by CLIP."""

import json

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from tests.apis.classifiers import photo
from tests.helpers import TEACHER
from uniemox_mm import EmotionInferencer, ZeroShotEmotionInferencer
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES

PROMPTS = ['a photo that evokes {emotion}', '{emotion}, a picture']
CLASSES = ['Joy', 'fear', 'awe']


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """A small CLIP of open_clip, and its weights in a file."""
    torch.manual_seed(1)
    clip = open_clip.create_model('ViT-B-16', **TEACHER['model_cfg']).eval()
    path = tmp_path_factory.mktemp('clip') / 'clip.pt'
    torch.save(clip.state_dict(), path)
    return clip, path


def build(path, **options):
    return ZeroShotEmotionInferencer(
        **{
            'model': 'ViT-B-16',
            'pretrained': str(path),
            'model_cfg': TEACHER['model_cfg'],
            'device': 'cpu',
            **options,
        }
    )


def normalised(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def preprocessed(clip, image):
    """Preprocess like CLIP, by Pillow and NumPy, (3, 32, 32)."""
    scale = 32 / min(image.size)
    resized = image.resize(
        [int(side * scale) for side in image.size], Image.Resampling.BICUBIC
    )
    left, top = (round((side - 32) / 2) for side in resized.size)
    crop = resized.crop((left, top, left + 32, top + 32))
    known = clip.visual.preprocess_cfg
    pixels = (np.asarray(crop, float) / 255 - known['mean']) / known['std']
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32))


@torch.no_grad()
def numpy_scores(clip, images, scale=100):
    """softmax(scale * cos) in float64."""
    pixels = torch.stack([preprocessed(clip, image) for image in images])
    of_images = normalised(clip.encode_image(pixels).double().numpy())
    tokenize = open_clip.get_tokenizer('ViT-B-16')
    of_classes = []
    for name in CLASSES:
        texts = [prompt.format(emotion=name.lower()) for prompt in PROMPTS]
        rows = clip.encode_text(tokenize(texts)).double().numpy()
        of_classes.append(normalised(normalised(rows).mean(0)))
    logits = scale * of_images @ np.stack(of_classes).T
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def test_scores_equal_numpy(weights):
    clip, path = weights
    sizes = [(40, 60), (75, 31), (32, 32), (333, 20)]
    images = [Image.fromarray(photo(i, *s)) for i, s in enumerate(sizes)]
    infer = build(path, classes=CLASSES, prompt=PROMPTS)
    assert isinstance(infer, EmotionInferencer)
    for size in (1, 32):
        results = infer(images, batch_size=size)
        found = np.stack([result['pred_scores'] for result in results])
        np.testing.assert_allclose(
            found, numpy_scores(clip, images), atol=2e-5
        )
    assert list(results[0]['scores']) == CLASSES
    assert results[0]['pred_class'] == CLASSES[found[0].argmax()]
    cooler = build(path, classes=CLASSES, prompt=PROMPTS, scale=5)
    np.testing.assert_allclose(
        cooler(images[0])[0]['pred_scores'],
        numpy_scores(clip, images, 5)[0],
        atol=1e-6,
    )


def test_features_equal_clip(weights):
    clip, path = weights
    rgb = photo(0, 32, 32)
    image = Image.fromarray(rgb)
    with torch.no_grad():
        expected = clip.encode_image(preprocessed(clip, image)[None])[0]
    (result,) = build(path)(image, return_features=True)
    np.testing.assert_allclose(result['features'], expected, atol=1e-5)


def test_broken_images_are_reported(weights, tmp_path):
    infer = build(weights[1])
    assert infer.classes == EMOSET_CATEGORIES
    results = infer([photo(), tmp_path / 'gone.jpg'])
    assert set(results[0]['scores']) == set(EMOSET_CATEGORIES)
    assert results[1]['error'].startswith(f'{tmp_path}/gone.jpg: ')
    with pytest.raises(BadSampleError, match='no such image'):
        infer(tmp_path / 'gone.jpg')
    assert json.dumps(results[0]['scores'])


def test_invalid_arguments(weights, tmp_path):
    path = weights[1]
    with pytest.raises(ValueError, match=r"'a photo' has no {emotion}"):
        build(path, prompt='a photo')
    with pytest.raises(ValueError, match='at least one prompt and one class'):
        build(path, classes=[])
    with pytest.raises(RuntimeError, match='CLIPTeacher could not load'):
        build(tmp_path / 'gone.pt')
    with pytest.warns(UserWarning, match='random weights'):
        build(path, pretrained=None)
