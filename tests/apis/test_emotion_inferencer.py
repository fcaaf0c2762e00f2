"""Inputs, arguments, people, features and pictures of the inferencer."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain import ImageClassificationInferencer, get_model
from mmpretrain.structures import DataSample
from PIL import Image

from tests.apis.classifiers import (
    expected_scores,
    photo,
    preprocessed,
    write_work_dir,
)
from uniemox_mm import EmotionInferencer
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.models import PersonDetector


def test_is_an_inferencer_of_mmpretrain(infer):
    assert isinstance(infer, ImageClassificationInferencer)
    assert infer.classes == EMOSET_CATEGORIES
    with pytest.raises(ValueError, match=r"unknown argument {'crop'}"):
        infer(photo(), crop=1)


def test_folder_is_searched_and_sorted(infer, model, folder):
    results = infer(str(folder))
    names = ['a.png', 'b.png', 'below/a.png', 'c.jpg']
    assert [r['path'] for r in results] == [str(folder / n) for n in names]
    for result, seed in zip(results, (1, 0, 2), strict=False):
        np.testing.assert_allclose(
            result['pred_scores'],
            expected_scores(model, photo(seed)),
            atol=1e-6,
        )
    assert results[3]['error'].startswith(f'{folder}/c.jpg: ')


def test_folders_in_lists(infer, folder):
    results = infer([folder / 'below', photo(), folder / 'b.png'])
    paths = [str(folder / 'below/a.png'), None, str(folder / 'b.png')]
    assert [result['path'] for result in results] == paths
    again = infer(iter([folder / 'below', photo(), folder / 'b.png']))
    assert [result['path'] for result in again] == paths
    assert infer([]) == []


def test_broken_image_raises_or_is_reported(infer, folder):
    broken = folder / 'c.jpg'
    for inputs, options in (
        (broken, {}),
        ([photo(), broken], dict(on_error='raise')),
        (folder, dict(on_error='raise', batch_size=1)),
    ):
        with pytest.raises(BadSampleError, match=f'{broken}: .*image'):
            infer(inputs, **options)
    (result,) = infer(broken, on_error='report')
    assert result['error'].startswith(f'{broken}: ')
    with pytest.raises(BadSampleError, match=r'the image: .*60 x 4 pixels'):
        infer(photo()[:4])
    empty = folder / 'empty'
    empty.mkdir()
    with pytest.raises(BadSampleError, match='empty: a folder without images'):
        infer(empty)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(on_error='skip'), "on_error .* is 'skip'"),
        (dict(batch_size=0), 'batch_size .* is 0'),
        (dict(batch_size=2.0), r'batch_size .* is 2\.0'),
        (dict(batch_size='4'), "batch_size .* is '4'"),
        (dict(return_person=True), 'needs a detector or boxes'),
        (dict(persons=[[], []]), 'boxes for 2 images, but there are 1'),
    ],
)
def test_invalid_arguments(infer, options, message):
    """Refused at once, not when the first result is taken."""
    with pytest.raises(ValueError, match=message):
        infer.iterate([photo()], **options)


def test_results_come_batch_by_batch(infer, monkeypatch):
    read, pipeline = [], infer.pipeline

    def record(source):
        read.append(source.name)
        return pipeline(source)

    photos = [photo(seed) for seed in range(5)]
    together = infer(photos)
    monkeypatch.setattr(infer, 'pipeline', record)
    results = infer.iterate(iter(photos), batch_size=2)
    assert read == []
    found = [(result['pred_class'], len(read)) for result in results]
    assert [count for _, count in found] == [2, 2, 4, 4, 5]
    assert [name for name, _ in found] == [r['pred_class'] for r in together]


def test_empty_path_is_not_the_current_folder(infer, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(BadSampleError, match=r'the image: .*empty'):
        infer('')
    empty, good = infer(['', 'a.png'])
    assert empty['error'].startswith('inputs[0]: ') and 'error' not in good


def test_data_samples(infer, folder):
    plain = infer(folder)
    samples = infer(folder, return_datasamples=True)
    assert all(isinstance(sample, DataSample) for sample in samples)
    for sample, result in zip(samples[:3], plain, strict=False):
        np.testing.assert_array_equal(sample.pred_score, result['pred_scores'])
        assert sample.pred_label.item() == result['pred_label']
        assert sample.img_path == result['path']
    assert samples[3].error == plain[3]['error']


def test_model_in_memory(work_dir, model):
    own = get_model(str(work_dir / 'ft.py'))
    own.load_state_dict(model.state_dict())
    names = list('abcdefgh')
    infer = EmotionInferencer(own, device='cpu', classes=names)
    (result,) = infer(photo()[..., ::-1])
    expected = expected_scores(model, photo())
    assert result['scores'] == pytest.approx(
        dict(zip(names, expected.tolist(), strict=True)), abs=1e-6
    )


def test_nan_scores_are_an_error(tmp_path):
    work_dir = write_work_dir(tmp_path / 'ft')
    infer = EmotionInferencer(work_dir, device='cpu')
    with torch.no_grad():
        infer.model.head.fc.weight[0, 0] = float('nan')
    (result,) = infer([photo()])
    assert result.keys() == {'path', 'error'}
    assert result['error'].startswith('inputs[0]: the scores contain NaN')


def test_progress_only_for_many(infer, capsys):
    infer([photo()] * 100)
    assert capsys.readouterr().err == ''
    infer([photo()] * 101)
    out, err = capsys.readouterr()
    assert '101/101' in err and out == ''


def test_unknown_device(work_dir):
    with pytest.raises(ValueError, match="device 'toaster' cannot be used"):
        EmotionInferencer(work_dir, device='toaster')


def test_incomplete_model_in_memory_is_refused(work_dir, model):
    def refused(message, *arguments, **options):
        with pytest.raises(ValueError, match=message):
            EmotionInferencer(*arguments, device='cpu', **options)

    own, names = copy.deepcopy(model), list('abcdefgh')
    refused('the model has no config', own, classes=names)
    own._config = Config.fromfile(work_dir / 'ft.py')
    refused('config=... goes with a ch', own, 'gone.py', classes=names)
    refused('8 classes.* 2 names: joy, fear', own, classes=['joy', 'fear'])
    for wrong in ('abcdefgh', [*'abcdefg', ' ']):
        refused('expected a list of class names', own, classes=wrong)
    own.head.num_classes = None  # heads without a layer do not know it
    infer = EmotionInferencer(own, device='cpu', classes=['joy', 'fear'])
    with pytest.raises(ValueError, match=r'8 scores.* 2 names.*: joy, fear'):
        infer(photo())


def test_pipeline_begins_with_reading(own):
    cfg = Config.fromfile(own / 'ft.py')
    cfg.test_dataloader.dataset.pipeline.pop(0)
    with pytest.raises(ValueError, match=r"LoadEmotionImage.*'ResizeEdge'"):
        EmotionInferencer(own, cfg, device='cpu')


def test_loader_of_the_config_is_used(own):
    """With its minimum size, and its reduced decoding of JPEGs."""
    cfg = Config.fromfile(own / 'ft.py')
    load = cfg.test_dataloader.dataset.pipeline[0]
    load.update(min_size=4, decode_short_side=36)
    infer = EmotionInferencer(own, cfg, device='cpu')
    assert 'error' not in infer(photo()[:5])[0]
    path = own / 'large.jpg'
    Image.fromarray(photo(1, 320, 480)).save(path)
    boxes = [[0, 0, 400, 300, 1]]
    (result,) = infer(path, persons=[boxes])
    with Image.open(path) as image:
        image.draft(None, (60, 40))
        assert image.size == (60, 40)
        small = np.asarray(image)
    np.testing.assert_allclose(
        result['pred_scores'],
        expected_scores(infer.model, small),
        atol=1e-6,
    )
    np.testing.assert_array_equal(result['persons'], boxes)
    (source,) = infer._inputs_to_list(path)
    assert infer.pipeline.read.whole(source).shape == (320, 480, 3)


@pytest.fixture(scope='module')
def detector(narrow_yolov3):
    config, weights = narrow_yolov3
    return dict(weights=weights, config=config, confidence=0.5)


def test_persons_equal_the_detector(work_dir, detector, tmp_path):
    images = [photo(i, 80, 120) for i in range(3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(images[0]).save(tmp_path / 'turned.png', exif=exif)
    infer = EmotionInferencer(work_dir, device='cpu', detector=detector)
    inputs = [*images, tmp_path / 'gone.png', tmp_path / 'turned.png']
    results = infer(inputs, return_person=True, batch_size=2)
    turned = np.ascontiguousarray(images[0].transpose(1, 0, 2)[:, ::-1])
    expected = PersonDetector(**detector)([*images, turned[..., ::-1].copy()])
    found = [results[i]['persons'] for i in (0, 1, 2, 4)]
    assert sum(map(len, expected)) > 4
    for boxes, own in zip(found, expected, strict=True):
        # Scores that differ in the last digit may change the order.
        apart = np.abs(boxes[:, None] - own).max(2)
        assert len(boxes) == len(own)
        assert max(apart.min(0).max(), apart.min(1).max()) < 1e-3
    assert results[3]['error'].startswith(f'{tmp_path}/gone.png: ')
    assert not any('persons' in result for result in infer(inputs))


def test_failed_search_keeps_the_emotion(work_dir, detector, tmp_path):
    path = tmp_path / 'thread.png'
    Image.fromarray(photo(4, 16, 20000)).save(path)
    infer = EmotionInferencer(work_dir, device='cpu', detector=detector)
    results = infer([path, photo()], return_person=True)
    assert results[0]['error'].startswith(f'{path}: an image of 20000 x 16')
    assert 'persons' not in results[0] and 'persons' in results[1]
    plain = infer(path)[0]
    np.testing.assert_allclose(
        results[0]['pred_scores'], plain['pred_scores'], atol=1e-6
    )
    with pytest.raises(BadSampleError, match=r'20000 x 16.* the detector'):
        infer(path, return_person=True)


def test_given_persons(infer):
    boxes = [[-5, 2, 30, 99, 0.5]]
    results = infer([photo()] * 3, persons=[boxes, [], [[1, 2]]])
    np.testing.assert_array_equal(
        results[0]['persons'], np.float32([[0, 2, 30, 40, 0.5]])
    )
    assert results[1]['persons'].shape == (0, 5)
    assert results[2]['error'].startswith('inputs[2]: person box [[1, 2]] ')
    assert results[2]['pred_class'] == results[0]['pred_class']


def test_pictures_are_drawn(infer, folder, tmp_path):
    out = tmp_path / 'deep' / 'drawn'
    boxes = [[10, 70, 40, 90, 1]]
    Image.fromarray(photo(0, 100, 150)).save(folder / 'b.png')
    infer([folder], persons=[[], boxes, [], []], show_dir=out, batch_size=2)
    names = {path.name for path in out.iterdir()}
    assert names == {'a.png', 'b.png', 'a-2.png'}
    drawn, plain = np.array(Image.open(out / 'b.png')), photo(0, 100, 150)
    assert (drawn != plain).any(2)[:40].sum() > 300  # the emotion
    boxed = plain.copy()
    boxed[70:91, [10, 40]] = boxed[[70, 90], 10:41] = (255, 0, 0)
    # matplotlib draws the image again, nearly as it is.
    np.testing.assert_allclose(drawn[60:], boxed[60:], atol=40)
    assert np.abs(drawn[60:].astype(float) - boxed[60:]).mean() < 3


class Extended(EmotionInferencer):
    """Add an argument as in MMPretrain, and use the pictures."""

    postprocess_kwargs = {'decimals'}

    def postprocess(self, preds, drawn, return_datasamples=False, decimals=9):
        results = super().postprocess(preds, drawn, return_datasamples)
        drawn = drawn or [None] * len(preds)
        return [
            dict(path=r['path'], score=round(r['pred_score'], decimals), as_=d)
            for r, d in zip(results, drawn, strict=True)
            if 'pred_score' in r
        ]


def test_subclass_with_own_arguments(infer, work_dir, tmp_path):
    extended = Extended(work_dir, device='cpu')
    inputs = [photo(1), tmp_path / 'gone.png', photo(2)]
    plain = infer(inputs)
    results = extended(inputs, decimals=2, batch_size=2)
    assert [result['score'] for result in results] == [
        round(plain[i]['pred_score'], 2) for i in (0, 2)
    ]
    (drawn,) = extended(photo(1, 100, 150), show_dir=tmp_path)
    written = np.array(Image.open(tmp_path / '0.png').convert('RGB'))
    np.testing.assert_array_equal(drawn['as_'], written)


def test_features_are_the_mean_of_the_patches(infer, model):
    rgb = photo()
    (result,) = infer(Image.fromarray(rgb), return_features=True)
    pixels = torch.from_numpy(preprocessed(rgb)[None].astype(np.float32))
    kept = []
    hook = model.backbone.layers[-1].register_forward_hook(
        lambda module, given, tokens: kept.append(tokens)
    )
    with torch.no_grad():
        model(pixels)
    hook.remove()
    (tokens,) = kept  # (1, 1 + 16, C), before the last norm
    norm, mean = model.backbone.ln2, tokens[0, 1:].mean(0)
    expected = (mean - mean.mean()) / (mean.var(correction=0) + 1e-6).sqrt()
    expected = (expected * norm.weight + norm.bias).detach()
    assert result['features'].dtype == np.float32
    np.testing.assert_allclose(result['features'], expected, atol=1e-5)
    assert 'features' not in infer(rgb)[0]


def test_features_keep_nothing_else(infer, monkeypatch):
    """A view of the cls token would keep all tokens in memory."""
    monkeypatch.setattr(infer.model.backbone, 'out_type', 'cls_token')
    samples = infer(
        [photo(1), photo(2)], return_datasamples=True, return_features=True
    )
    for sample in samples:
        assert sample.features.shape == (32,)
        assert sample.features.device.type == 'cpu'
        assert sample.features.untyped_storage().nbytes() == 2 * 32 * 4


def test_features_in_several_threads(infer):
    photos = [photo(seed) for seed in range(6)]
    expected = [infer(rgb, return_features=True)[0] for rgb in photos]

    with ThreadPoolExecutor(6) as pool:
        found = pool.map(lambda x: infer(x, return_features=True), photos * 20)
    for (result,), wanted in zip(found, expected * 20, strict=True):
        for name in ('features', 'pred_scores'):
            np.testing.assert_allclose(result[name], wanted[name], atol=1e-6)


def test_people_are_searched_in_the_whole_image(narrow_yolov3, tmp_path):
    own = write_work_dir(tmp_path / 'own')
    config, weights = narrow_yolov3
    detector = dict(weights=weights, config=config, confidence=0.5)
    cfg = Config.fromfile(own / 'ft.py')
    cfg.test_dataloader.dataset.pipeline[0].update(decode_short_side=36)
    infer = EmotionInferencer(own, cfg, device='cpu', detector=detector)
    path = tmp_path / 'large.jpg'
    Image.fromarray(photo(1, 320, 480)).save(path)
    (result,) = infer([path], return_person=True)
    (expected,) = PersonDetector(**detector)([path])
    assert len(expected)
    np.testing.assert_allclose(result['persons'], expected, atol=1e-3)
