"""The page shows what the models return."""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.apis.classifiers import expected_scores, load_model, photo
from tests.helpers import TEACHER
from uniemox_mm import EmotionInferencer, ZeroShotEmotionInferencer
from uniemox_mm.apis.page import (
    PageModels,
    analyze_image,
    load_models,
    reconstruct_image,
)
from uniemox_mm.apis.page.analyze_image import (
    ImageAnalysis,
    ImageReconstruction,
)
from uniemox_mm.apis.page.page_models import (
    KnownBoxes,
    default_ratio,
    largest_ratio,
)
from uniemox_mm.visualization.grad_cam import grad_cam, overlay

ROWS = 4  # of patches, each 8 pixels and enlarged by 12


def red_corners(picture):
    """Left, top, right, bottom of the pixels that are pure red."""
    rows, columns = np.nonzero((picture == (255, 0, 0)).all(-1))
    return columns.min(), rows.min(), columns.max(), rows.max()


def masked_patches(found):
    """(4, 4) bool, True for patches of one grey."""
    side = found.masked.shape[0] // ROWS
    patches = found.masked.reshape(ROWS, side, ROWS, side, 3)
    return (patches == 128).all((1, 3, 4))


def with_boxes(models, folder, name, boxes):
    rows = [dict(img_path=name, persons=boxes)]
    path = folder / 'persons.json'
    path.write_text(json.dumps(dict(metainfo={}, data_list=rows)))
    return replace(models, boxes=KnownBoxes(path))


def equal(first, second):
    return all(
        np.array_equal(vars(first)[name], vars(second)[name])
        for name in vars(first)
    )


def test_scores_equal_the_inferencer(models, work_dirs, picture):
    found = analyze_image(models, picture)
    assert found.scores == models.infer(picture)[0]['scores']
    expected = expected_scores(
        load_model(work_dirs[0]), np.asarray(Image.open(picture))
    )
    np.testing.assert_allclose(list(found.scores.values()), expected, 1e-5)
    assert found.problem == ''


@pytest.mark.parametrize(
    ('size', 'factor'), [((60, 40), 7), ((3000, 1500), 1024 / 3000)]
)
def test_boxes_are_drawn_at_the_shown_size(models, tmp_path, size, factor):
    (tmp_path / 'data').mkdir()
    for folder in (tmp_path / 'data', tmp_path):
        Image.new('RGB', size, 'navy').save(folder / 'a.png')
    box = [size[0] / 4, size[1] / 5, size[0] / 2, size[1] * 4 / 5, 0.9]
    boxed = with_boxes(models, tmp_path / 'data', 'a.png', [box])
    found = analyze_image(boxed, tmp_path / 'a.png')
    shown = round(size[1] * factor), round(size[0] * factor), 3
    assert found.people.shape == shown
    np.testing.assert_allclose(
        red_corners(found.people), np.array(box[:4]) * factor, atol=1
    )
    assert found.people_note == '1 person'


def test_boxes_need_an_equal_image(models, tmp_path, picture):
    (tmp_path / 'data').mkdir()
    Image.new('RGB', (60, 40)).save(tmp_path / 'data/beach.png')
    boxed = with_boxes(
        models, tmp_path / 'data', 'beach.png', [[1, 1, 9, 9, 1]]
    )
    found = analyze_image(boxed, picture)
    assert 'does not list this image' in found.people_note
    # Each pixel seven times in either direction, and nothing drawn.
    pixels = np.asarray(Image.open(picture))
    np.testing.assert_array_equal(found.people[::7, ::7], pixels)
    empty = with_boxes(models, tmp_path, 'beach.png', [])
    assert analyze_image(empty, picture).people_note == 'no people found'


def test_invalid_box_keeps_the_scores(models, picture):
    boxed = with_boxes(models, picture.parent, picture.name, [[9, 1, 2, 9, 1]])
    found = analyze_image(boxed, picture)
    assert found.problem.startswith('beach.png: person box [9.0, 1.0, 2.0')
    assert found.people_note == ''
    assert found.scores == models.infer(picture)[0]['scores']


@pytest.mark.slow
def test_people_equal_the_detector(models, work_dirs, narrow_yolov3, tmp_path):
    config, weights = narrow_yolov3
    detector = dict(weights=weights, config=config, confidence=0.0)
    infer = EmotionInferencer(work_dirs[0], device='cpu', detector=detector)
    path = tmp_path / 'party.png'
    Image.fromarray(photo(height=384, width=500)).save(path)
    boxes = infer(path, return_person=True)[0]['persons']
    assert len(boxes) > 1
    found = analyze_image(PageModels(infer), path)
    assert found.people_note == f'{len(boxes)} people'
    corners = *boxes[:, :2].min(0), *boxes[:, 2:4].max(0)
    np.testing.assert_allclose(red_corners(found.people), corners, atol=1)


def test_grad_cam_of_the_predicted_class(models, picture):
    found = analyze_image(models, picture)
    best = max(found.scores, key=found.scores.get)
    assert found.cam_note == f'Grad-CAM for {best} (red = strongest)'
    ((item,),) = models.infer.preprocess(models.infer._inputs_to_list(picture))
    pixels = item['inputs']
    label = models.infer.classes.index(best)
    (heatmap,) = grad_cam(models.infer.model, pixels[None], label).heatmaps
    rgb = pixels.numpy()[::-1].transpose(1, 2, 0)
    assert found.cam.shape == (384, 384, 3)
    np.testing.assert_array_equal(found.cam[::12, ::12], overlay(rgb, heatmap))


def test_without_grad_cam_the_rest_is_there(models, picture, monkeypatch):
    before = analyze_image(models, picture)
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)
    found = analyze_image(models, picture)
    assert found.cam is None
    assert 'grad-cam' in found.cam_note
    assert found.scores == before.scores


@pytest.mark.filterwarnings('ignore:CLIP has random weights')
def test_zero_shot(picture):
    infer = ZeroShotEmotionInferencer(
        'ViT-B-16', None, model_cfg=TEACHER['model_cfg'], device='cpu'
    )
    models = PageModels(infer, name='CLIP test')
    described = 'CLIP test (ViT-B-16), zero-shot with the prompt "a photo'
    assert models.describe().startswith(described)
    found = analyze_image(models, picture)
    assert found.scores == infer(picture)[0]['scores']
    assert found.cam is None
    assert 'zero-shot' in found.cam_note
    assert '--persons' in found.people_note


@pytest.mark.parametrize(
    ('percent', 'masked', 'ratio'),
    [(1, 1, '6.2%'), (25, 4, '25.0%'), (50, 8, '50.0%'), (93, 15, '93.8%')],
)
def test_number_of_masked_patches(models, picture, percent, masked, ratio):
    found = reconstruct_image(models, picture, percent)
    hidden = masked_patches(found)
    assert hidden.sum() == masked
    assert found.note == f'{masked} of 16 patches masked ({ratio})'
    assert found.reconstruction.shape == (384, 384, 3)
    hidden = hidden.repeat(96, 0).repeat(96, 1)
    expected = np.where(hidden[..., None], found.reconstruction, found.masked)
    np.testing.assert_array_equal(found.pasted, expected)


def test_larger_ratios_add_patches(models, picture):
    few, many = (
        masked_patches(reconstruct_image(models, picture, percent))
        for percent in (25, 75)
    )
    assert many[few].all()


def test_ratio_limits(models, picture):
    assert default_ratio(models.pretrained) == 75
    assert largest_ratio(models.pretrained) == 93  # int(16 * 0.06) is 0
    found = reconstruct_image(models, picture, 100)
    assert found == ImageReconstruction(found.note)
    assert '1.0 leaves 0 of 16 patches' in found.note


def write_text(path):
    path.write_text('dear diary')


def write_truncated(path):
    whole = path.with_suffix('.whole.jpg')
    Image.fromarray(photo(height=200, width=300)).save(whole)
    path.write_bytes(whole.read_bytes()[:2000])


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (write_text, 'not an image'),
        (write_truncated, 'truncated'),
        (lambda path: Image.new('RGB', (300, 8)).save(path, 'PNG'), '300 x 8'),
        (lambda path: None, 'no such image'),
    ],
)
def test_broken_file_is_named(models, picture, tmp_path, write, message):
    before = analyze_image(models, picture)
    path = tmp_path / 'notes <b>.txt'
    write(path)
    found = analyze_image(models, path)
    assert found == ImageAnalysis(found.problem)
    assert found.problem.startswith('notes <b>.txt: ')
    assert message in found.problem
    assert equal(analyze_image(models, picture), before)


def test_broken_file_is_named_by_the_reconstruction(models, tmp_path):
    write_text(tmp_path / 'notes.txt')
    found = reconstruct_image(models, tmp_path / 'notes.txt', 75)
    assert found == ImageReconstruction(found.note)
    assert found.note.startswith('notes.txt: ')


@pytest.mark.slow
def test_large_image(models, tmp_path, picture):
    path = tmp_path / 'large.jpg'
    Image.open(picture).resize((8000, 6000)).save(path)
    found = analyze_image(models, path)
    assert found.scores == models.infer(path)[0]['scores']
    assert found.people.shape == (768, 1024, 3)
    assert reconstruct_image(models, path, 50).note.startswith('8 of 16')


def test_each_model_runs_one_image_at_a_time(models, tmp_path):
    backbones = [models.infer.model.backbone, models.pretrained.backbone]
    running, most = [0, 0], [0, 0]
    count = threading.Lock()

    def enter(i):
        def hook(*_):
            with count:
                running[i] += 1
                most[i] = max(most[i], running[i])
            time.sleep(0.005)

        return hook

    def leave(i):
        def hook(*_):
            with count:
                running[i] -= 1

        return hook

    jobs = []
    for seed, percent in enumerate((20, 50, 75, 90)):
        path = tmp_path / f'{seed}.png'
        Image.fromarray(photo(seed)).save(path)
        jobs.append((analyze_image, models, path))
        jobs.append((reconstruct_image, models, path, percent))
    expected = [job(*given) for job, *given in jobs]
    hooks = []
    for i, backbone in enumerate(backbones):
        hooks.append(backbone.register_forward_pre_hook(enter(i)))
        hooks.append(backbone.register_forward_hook(leave(i)))
    try:
        with ThreadPoolExecutor(len(jobs)) as threads:
            found = list(threads.map(lambda given: given[0](*given[1:]), jobs))
    finally:
        for hook in hooks:
            hook.remove()
    assert most == [1, 1]
    assert all(map(equal, found, expected))


def test_description_names_all_models(models, work_dirs):
    own = 'fi/epoch_3.pth (VisionTransformer, 0.0 M parameters). 8 classes: '
    described = models.describe()
    assert described.startswith(f'{own}amusement, ')
    assert described.endswith('. Reconstruction by pre/epoch_1.pth.')
    of_detector = replace(models, people='a/yolov3.pth')
    assert of_detector.describe() == (
        f'{described} People from the detector a/yolov3.pth.'
    )
    with pytest.raises(ValueError, match='either a checkpoint or zero_shot'):
        load_models()
    alone = load_models(str(work_dirs[0]), device='cpu')
    assert (alone.pretrained, alone.boxes) == (None, None)
    assert not alone.finds_people
    assert 'Reconstruction' not in alone.describe()
