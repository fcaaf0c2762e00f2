"""Lists, folders, errors, features, people, pictures."""

import numpy as np
import pytest
import torch
from mmpretrain import ImageClassificationInferencer, get_model
from mmpretrain.structures import DataSample
from PIL import Image

from tests.apis.inference.classifiers import (
    expected_scores,
    photo,
    prepared,
    write_work_dir,
)
from uniemox_mm import EmotionInferencer
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.models import PersonDetector


@pytest.fixture
def folder(tmp_path):
    """Four images, one of them broken, and what is no image."""
    root = tmp_path / 'photos'
    (root / 'below').mkdir(parents=True)
    (root / '.hidden').mkdir()
    for seed, name in enumerate(
        ('b.png', 'a.png', 'below/a.png', '.hidden/h.png', '.h.png')
    ):
        Image.fromarray(photo(seed)).save(root / name)
    (root / 'c.jpg').write_text('no image')
    (root / 'notes.txt').write_text('passed over')
    return root


def test_it_is_an_inferencer_of_mmpretrain(infer):
    assert isinstance(infer, ImageClassificationInferencer)
    assert infer.classes == EMOSET_CATEGORIES
    with pytest.raises(ValueError, match=r"unknown argument {'crop'}"):
        infer(photo(), crop=1)


def test_a_folder_is_searched_and_sorted(infer, model, folder):
    results = infer(str(folder))
    names = ['a.png', 'b.png', 'below/a.png', 'c.jpg']
    assert [r['path'] for r in results] == [str(folder / n) for n in names]
    for result, seed in zip(results, (1, 0, 2), strict=False):
        np.testing.assert_allclose(
            result['pred_scores'],
            expected_scores(model, photo(seed)),
            atol=1e-6,
        )
    assert results[3]['error'] == (
        f'{folder}/c.jpg: expected a readable image, but decoding failed with '
        'UnidentifiedImageError: not an image'
    )


def test_folders_in_lists(infer, folder):
    results = infer([folder / 'below', photo(), folder / 'b.png'])
    paths = [str(folder / 'below/a.png'), None, str(folder / 'b.png')]
    assert [result['path'] for result in results] == paths
    again = infer(iter([folder / 'below', photo(), folder / 'b.png']))
    assert [result['path'] for result in again] == paths
    assert infer([]) == []


def test_one_broken_image_raises_and_one_of_many_is_reported(infer, folder):
    broken = folder / 'c.jpg'
    text = f'{broken}: expected a readable image, but decoding failed with '
    for inputs, options in (
        (broken, {}),
        ([photo(), broken], dict(on_error='raise')),
        (folder, dict(on_error='raise', batch_size=1)),
    ):
        with pytest.raises(BadSampleError) as error:
            infer(inputs, **options)
        assert str(error.value).startswith(text)
    (result,) = infer(broken, on_error='report')
    assert result['error'].startswith(text)
    with pytest.raises(BadSampleError) as error:
        infer(photo()[:4])
    assert str(error.value) == (
        'the image: the image is 60 x 4 pixels; expected at least 16 on '
        'either side'
    )
    empty = folder / 'empty'
    empty.mkdir()
    with pytest.raises(BadSampleError, match='empty: a folder without images'):
        infer(empty)


def test_arguments_that_cannot_be(infer):
    with pytest.raises(ValueError) as error:
        infer(photo(), on_error='skip')
    assert str(error.value) == (
        "on_error must be 'raise' or 'report', but is 'skip'"
    )
    with pytest.raises(ValueError, match='batch_size must be positive: 0'):
        infer(photo(), batch_size=0)
    with pytest.raises(ValueError) as error:
        infer(photo(), return_person=True)
    assert str(error.value).startswith(
        'return_person=True needs a detector or boxes: EmotionInferencer(..., '
    )
    with pytest.raises(ValueError) as error:
        infer([photo()], persons=[[], []])
    assert str(error.value) == (
        'persons has boxes for 2 images, but there are 1'
    )


def test_features_are_the_mean_of_the_patches(infer, model):
    rgb = photo()
    (result,) = infer(Image.fromarray(rgb), return_features=True)
    pixels = torch.from_numpy(prepared(rgb)[None].astype(np.float32))
    kept = []
    norm = model.backbone.layers[-1].register_forward_hook(
        lambda module, given, tokens: kept.append(tokens)
    )
    with torch.no_grad():
        model(pixels)
    norm.remove()
    (tokens,) = kept  # (1, 1 + 16, C), before the last norm
    mean = tokens[0, 1:].mean(0)
    weights = model.state_dict()
    expected = torch.nn.functional.layer_norm(
        mean,
        mean.shape,
        weights['backbone.ln2.weight'],
        weights['backbone.ln2.bias'],
        eps=1e-6,
    )
    assert result['features'].dtype == np.float32
    np.testing.assert_allclose(result['features'], expected, atol=1e-5)
    assert 'features' not in infer(rgb)[0]
    assert not model.backbone._forward_hooks


def test_data_samples(infer, folder):
    plain = infer(folder)
    samples = infer(folder, return_datasamples=True)
    assert all(isinstance(sample, DataSample) for sample in samples)
    for sample, result in zip(samples[:3], plain, strict=False):
        np.testing.assert_array_equal(sample.pred_score, result['pred_scores'])
        assert sample.pred_label.item() == result['pred_label']
        assert sample.img_path == result['path']
    assert samples[3].error == plain[3]['error']


def test_a_model_in_memory(work_dir, model):
    own = get_model(str(work_dir / 'ft.py'))
    own.load_state_dict(model.state_dict())
    names = list('abcdefgh')
    infer = EmotionInferencer(own, device='cpu', classes=names)
    (result,) = infer(photo()[..., ::-1])
    expected = expected_scores(model, photo())
    assert result['scores'] == pytest.approx(
        dict(zip(names, expected.tolist(), strict=True)), abs=1e-6
    )


def test_scores_that_are_no_numbers(tmp_path):
    work_dir = write_work_dir(tmp_path / 'ft')
    infer = EmotionInferencer(work_dir, device='cpu')
    with torch.no_grad():
        infer.model.head.fc.weight[0, 0] = float('nan')
    (result,) = infer([photo()])
    assert result == dict(
        path=None,
        error='inputs[0]: its scores are not finite numbers: the weights are '
        'broken, or the precision is too low',
    )


def test_progress_only_for_many(infer, capsys):
    infer([photo()] * 100)
    assert capsys.readouterr().err == ''
    infer([photo()] * 101)
    captured = capsys.readouterr()
    assert '101/101' in captured.err and captured.out == ''


@pytest.fixture(scope='module')
def detector(narrow_yolov3):
    config, weights = narrow_yolov3
    return dict(weights=weights, config=config, confidence=0.5)


def test_people_are_those_of_the_detector(work_dir, detector, tmp_path):
    images = [photo(i, 80, 120) for i in range(3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(images[0]).save(tmp_path / 'turned.png', exif=exif)
    Image.fromarray(photo(4, 16, 20000)).save(tmp_path / 'thread.png')
    infer = EmotionInferencer(work_dir, device='cpu', detector=detector)
    inputs = [*images, tmp_path / 'gone.png', tmp_path / 'turned.png']
    results = infer(inputs, return_person=True, batch_size=2)
    turned = np.ascontiguousarray(images[0].transpose(1, 0, 2)[:, ::-1])
    expected = PersonDetector(**detector)([*images, turned[..., ::-1].copy()])
    found = [results[i]['persons'] for i in (0, 1, 2, 4)]
    assert sum(map(len, expected)) > 4
    for boxes, own in zip(found, expected, strict=True):
        np.testing.assert_allclose(boxes, own, atol=1e-3)
    assert results[3]['error'] == f'{tmp_path}/gone.png: no such image'
    assert not any('persons' in result for result in infer(inputs))


def test_no_people_can_be_searched(work_dir, detector, tmp_path):
    """The emotion is answered all the same."""
    path = tmp_path / 'thread.png'
    Image.fromarray(photo(4, 16, 20000)).save(path)
    infer = EmotionInferencer(work_dir, device='cpu', detector=detector)
    results = infer([path, photo()], return_person=True)
    assert results[0]['error'].startswith(
        f'{path}: an image of 20000 x 16 pixels cannot be made ready for the '
        'detector ('
    )
    assert 'persons' not in results[0] and 'persons' in results[1]
    plain = infer(path)[0]
    np.testing.assert_allclose(
        results[0]['pred_scores'], plain['pred_scores'], atol=1e-6
    )
    with pytest.raises(BadSampleError, match='cannot be made ready for the'):
        infer(path, return_person=True)


def test_known_people(infer):
    boxes = [[-5, 2, 30, 99, 0.5]]
    results = infer([photo()] * 3, persons=[boxes, [], [[1, 2]]])
    np.testing.assert_array_equal(
        results[0]['persons'], np.float32([[0, 2, 30, 40, 0.5]])
    )
    assert results[1]['persons'].shape == (0, 5)
    assert results[2]['error'] == (
        'inputs[2]: person box [[1, 2]] does not have five values; expected '
        'x1, y1, x2, y2, score in pixels of this image of 60 x 40, with x1 < '
        'x2 and y1 < y2'
    )
    assert results[2]['pred_class'] == results[0]['pred_class']


def test_pictures(infer, folder, tmp_path):
    out = tmp_path / 'deep' / 'drawn'
    boxes = [[10, 70, 40, 90, 1]]
    Image.fromarray(photo(0, 100, 150)).save(folder / 'b.png')
    infer([folder], persons=[[], boxes, [], []], show_dir=out)
    names = {path.name for path in out.iterdir()}
    assert names == {'a.png', 'b.png', 'a-2.png'}
    drawn, plain = np.array(Image.open(out / 'b.png')), photo(0, 100, 150)
    assert (drawn != plain).any(2)[:40].sum() > 300  # the emotion
    boxed = plain.copy()
    boxed[70:91, [10, 40]] = boxed[[70, 90], 10:41] = (255, 0, 0)
    # matplotlib draws the image anew, nearly as it is.
    np.testing.assert_allclose(drawn[60:], boxed[60:], atol=40)
    assert np.abs(drawn[60:].astype(float) - boxed[60:]).mean() < 3


def test_a_device_that_is_not_there(work_dir):
    with pytest.raises(ValueError) as error:
        EmotionInferencer(work_dir, device='toaster')
    assert str(error.value).startswith(
        "the device 'toaster' cannot be used here: "
    )
