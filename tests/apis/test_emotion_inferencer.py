"""Lists, folders, errors, arguments and models in memory."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain import ImageClassificationInferencer, get_model
from mmpretrain.structures import DataSample
from PIL import Image

from tests.apis.classifiers import expected_scores, photo, write_work_dir
from uniemox_mm import EmotionInferencer
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES


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


def test_broken_image_raises_alone_and_is_reported_in_a_list(infer, folder):
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
    """They are refused at once, not when the first result is taken."""
    with pytest.raises(ValueError, match=message):
        infer.iterate([photo()], **options)


def test_results_come_batch_by_batch(infer):
    read = []

    def photos():
        for seed in range(5):
            yield photo(seed)

    prepare = infer.pipeline

    class Watched:
        read = prepare.read

        def __call__(self, source, *settings):
            read.append(source.name)
            return prepare(source, *settings)

    infer.pipeline = Watched()
    try:
        results = infer.iterate(photos(), batch_size=2)
        assert read == []
        counts = [(result['pred_class'], len(read)) for result in results]
    finally:
        infer.pipeline = prepare
    assert [count for _, count in counts] == [2, 2, 4, 4, 5]
    together = infer(photos())
    assert [name for name, _ in counts] == [
        result['pred_class'] for result in together
    ]


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
    captured = capsys.readouterr()
    assert '101/101' in captured.err and captured.out == ''


def test_unknown_device(work_dir):
    with pytest.raises(ValueError, match="device 'toaster' cannot be used"):
        EmotionInferencer(work_dir, device='toaster')


def test_model_in_memory_has_all_that_is_needed(work_dir, model):
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
    """Another smallest size, and JPEGs decoded smaller."""
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
