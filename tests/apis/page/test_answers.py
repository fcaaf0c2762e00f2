"""What the page shows is what the models say."""

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
from uniemox_mm.apis.page import PageModels, load_models, look_at, paint
from uniemox_mm.apis.page.answers import Answer, Painting
from uniemox_mm.apis.page.known_boxes import KnownBoxes
from uniemox_mm.apis.page.models import default_ratio, largest_ratio
from uniemox_mm.visualization.grad_cam import grad_cam, overlay

ROWS = 4  # of patches, each 8 pixels and enlarged by 12


def red_part(picture):
    """The corners of what is pure red: left, top, right, bottom."""
    rows, columns = np.nonzero((picture == (255, 0, 0)).all(-1))
    return columns.min(), rows.min(), columns.max(), rows.max()


def hidden_patches(painting):
    """(4, 4) bool: which patches are one grey."""
    side = painting.masked.shape[0] // ROWS
    patches = painting.masked.reshape(ROWS, side, ROWS, side, 3)
    return (patches == 128).all((1, 3, 4))


def write_boxes(folder, name, boxes):
    rows = [dict(img_path=name, persons=boxes)]
    path = folder / 'persons.json'
    path.write_text(json.dumps(dict(metainfo={}, data_list=rows)))
    return path


def equal(first, second):
    return all(
        np.array_equal(vars(first)[name], vars(second)[name])
        for name in vars(first)
    )


def test_scores_are_the_inferencers(models, work_dirs, picture):
    found = look_at(models, picture)
    assert found.scores == models.infer(picture)[0]['scores']
    expected = expected_scores(
        load_model(work_dirs[0]), np.asarray(Image.open(picture))
    )
    np.testing.assert_allclose(list(found.scores.values()), expected, 1e-5)
    assert found.problem == ''


@pytest.mark.parametrize(
    ('size', 'factor'), [((60, 40), 7), ((3000, 1500), 1024 / 3000)]
)
def test_boxes_are_drawn_where_people_are(models, tmp_path, size, factor):
    (tmp_path / 'data').mkdir()
    for folder in (tmp_path / 'data', tmp_path):
        Image.new('RGB', size, 'navy').save(folder / 'a.png')
    box = [size[0] / 4, size[1] / 5, size[0] / 2, size[1] * 4 / 5, 0.9]
    known = KnownBoxes(write_boxes(tmp_path / 'data', 'a.png', [box]))
    found = look_at(replace(models, boxes=known), tmp_path / 'a.png')
    shown = round(size[1] * factor), round(size[0] * factor), 3
    assert found.people.shape == shown
    np.testing.assert_allclose(
        red_part(found.people), np.array(box[:4]) * factor, atol=1
    )
    assert found.people_note == '1 person'


def test_boxes_of_another_image_of_that_name_are_not_taken(
    models, tmp_path, picture
):
    (tmp_path / 'data').mkdir()
    Image.new('RGB', (60, 40)).save(tmp_path / 'data/beach.png')
    file = write_boxes(tmp_path / 'data', 'beach.png', [[1, 1, 9, 9, 1]])
    found = look_at(replace(models, boxes=KnownBoxes(file)), picture)
    assert found.people_note == 'no boxes are known of this image'
    # Each pixel seven times in either direction, and nothing drawn.
    pixels = np.asarray(Image.open(picture))
    np.testing.assert_array_equal(found.people[::7, ::7], pixels)
    empty = write_boxes(tmp_path, 'beach.png', [])
    found = look_at(replace(models, boxes=KnownBoxes(empty)), picture)
    assert found.people_note == 'nobody was found'


def test_a_wrong_box_is_a_problem_beside_the_scores(models, picture):
    file = write_boxes(picture.parent, picture.name, [[9, 1, 2, 9, 1]])
    found = look_at(replace(models, boxes=KnownBoxes(file)), picture)
    assert found.problem == (
        'beach.png: person box [9.0, 1.0, 2.0, 9.0, 1.0] is empty; expected '
        'x1, y1, x2, y2, score in pixels of this image of 60 x 40, with x1 < '
        'x2 and y1 < y2'
    )
    assert found.people_note == ''
    assert found.scores == models.infer(picture)[0]['scores']


@pytest.mark.slow
def test_people_of_a_detector(models, work_dirs, narrow_yolov3, tmp_path):
    config, weights = narrow_yolov3
    detector = dict(weights=weights, config=config, confidence=0.0)
    infer = EmotionInferencer(work_dirs[0], device='cpu', detector=detector)
    path = tmp_path / 'party.png'
    Image.fromarray(photo(height=384, width=500)).save(path)
    boxes = infer(path, return_person=True)[0]['persons']
    assert len(boxes) > 1
    found = look_at(PageModels(infer), path)
    assert found.people_note == f'{len(boxes)} people'
    corners = *boxes[:, :2].min(0), *boxes[:, 2:4].max(0)
    np.testing.assert_allclose(red_part(found.people), corners, atol=1)


def test_cam_is_of_the_predicted_class(models, picture):
    found = look_at(models, picture)
    best = max(found.scores, key=found.scores.get)
    assert found.cam_note == f'Grad-CAM for {best} (red = strongest)'
    ((item,),) = models.infer.preprocess(models.infer._inputs_to_list(picture))
    pixels = item['inputs']
    label = models.infer.classes.index(best)
    (heat,) = grad_cam(models.infer.model, pixels[None], label).heatmaps
    rgb = pixels.numpy()[::-1].transpose(1, 2, 0)
    assert found.cam.shape == (384, 384, 3)
    np.testing.assert_array_equal(found.cam[::12, ::12], overlay(rgb, heat))


def test_without_grad_cam_all_else_is_there(models, picture, monkeypatch):
    before = look_at(models, picture)
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)
    found = look_at(models, picture)
    assert found.cam is None
    assert found.cam_note.startswith('Grad-CAM needs the package grad-cam')
    assert found.scores == before.scores


@pytest.mark.filterwarnings('ignore:CLIP has random weights')
def test_zero_shot(picture):
    infer = ZeroShotEmotionInferencer(
        'ViT-B-16', None, model_cfg=TEACHER['model_cfg'], device='cpu'
    )
    models = PageModels(infer, name='CLIP test')
    assert models.describe() == (
        'CLIP test (ViT-B-16), asked without any training which text fits '
        'best: "a photo that evokes {emotion}"'
    )
    found = look_at(models, picture)
    assert found.scores == infer(picture)[0]['scores']
    assert (found.cam, found.cam_note) == (
        None,
        'CLIP is asked about the whole image: there is no layer of a '
        'classifier to look at',
    )
    assert found.people_note == (
        'no detector was given when the page was started'
    )


@pytest.mark.parametrize(
    ('percent', 'hidden', 'share'),
    [(1, 1, '6.2%'), (25, 4, '25.0%'), (50, 8, '50.0%'), (93, 15, '93.8%')],
)
def test_as_many_patches_are_hidden(models, picture, percent, hidden, share):
    found = paint(models, picture, percent)
    assert hidden_patches(found).sum() == hidden
    assert found.note == f'{hidden} of 16 patches hidden ({share})'
    assert found.painted.shape == (384, 384, 3)
    seen = ~hidden_patches(found).repeat(96, 0).repeat(96, 1)
    np.testing.assert_array_equal(found.pasted[seen], found.masked[seen])
    np.testing.assert_array_equal(found.pasted[~seen], found.painted[~seen])


def test_with_a_larger_share_more_patches_are_hidden(models, picture):
    few = hidden_patches(paint(models, picture, 25))
    many = hidden_patches(paint(models, picture, 75))
    assert (many[few]).all()


def test_the_slider_ends_where_one_patch_is_left(models):
    (painter,) = models.painters.values()
    assert default_ratio(painter) == 75
    assert largest_ratio(painter) == 93  # int(16 * 0.06) is none


def test_a_share_that_leaves_nothing(models, picture):
    assert paint(models, picture, 100) == Painting(
        'a mask ratio of 1.0 leaves 0 of 16 patches visible; expected some, '
        'and some to be hidden'
    )


def write_text(path):
    path.write_text('dear diary')


def write_truncated(path):
    whole = path.with_suffix('.whole.jpg')
    Image.fromarray(photo(height=200, width=300)).save(whole)
    path.write_bytes(whole.read_bytes()[:2000])


def write_tiny(path):
    Image.new('RGB', (300, 8)).save(path, 'PNG')


BROKEN = [
    (
        write_text,
        'expected a readable image, but it is not an image',
    ),
    (
        write_truncated,
        'expected a readable image, but decoding failed with OSError: image '
        'file is truncated (13 bytes not processed)',
    ),
    (
        write_tiny,
        'the image is 300 x 8 pixels; expected at least 16 on either side',
    ),
    (lambda path: None, 'no such image'),
]


@pytest.mark.parametrize(('write', 'message'), BROKEN)
def test_a_file_that_is_no_image_is_named(
    models, picture, tmp_path, write, message
):
    before = look_at(models, picture)
    path = tmp_path / 'notes <b>.txt'
    write(path)
    assert look_at(models, path) == Answer(f'notes <b>.txt: {message}')
    assert equal(look_at(models, picture), before)


def test_a_painter_names_the_file_as_well(models, tmp_path):
    write_text(tmp_path / 'notes.txt')
    assert paint(models, tmp_path / 'notes.txt', 75) == Painting(
        f'notes.txt: {BROKEN[0][1]}'
    )


@pytest.mark.slow
def test_a_large_image(models, tmp_path, picture):
    path = tmp_path / 'large.jpg'
    Image.open(picture).resize((8000, 6000)).save(path)
    found = look_at(models, path)
    assert found.scores == models.infer(path)[0]['scores']
    assert found.people.shape == (768, 1024, 3)
    assert paint(models, path, 50).note.startswith('8 of 16 patches')


def test_each_model_answers_one_at_a_time(models, tmp_path):
    inside, most = dict(infer=0, painter=0), dict(infer=0, painter=0)
    count = threading.Lock()

    def enter(name):
        def hook(*_):
            with count:
                inside[name] += 1
                most[name] = max(most[name], inside[name])
            time.sleep(0.005)

        return hook

    def leave(name):
        def hook(*_):
            with count:
                inside[name] -= 1

        return hook

    paths = []
    for seed in range(4):
        paths.append(tmp_path / f'{seed}.png')
        Image.fromarray(photo(seed)).save(paths[-1])
    jobs = [(look_at, models, path) for path in paths] + [
        (paint, models, path, percent)
        for path, percent in zip(paths, (20, 50, 75, 90), strict=True)
    ]
    expected = [job(*given) for job, *given in jobs]
    (painter,) = models.painters.values()
    backbones = dict(
        infer=models.infer.model.backbone, painter=painter.backbone
    )
    hooks = []
    for name, backbone in backbones.items():
        hooks.append(backbone.register_forward_pre_hook(enter(name)))
        hooks.append(backbone.register_forward_hook(leave(name)))
    try:
        with ThreadPoolExecutor(len(jobs)) as threads:
            found = list(threads.map(lambda given: given[0](*given[1:]), jobs))
    finally:
        for hook in hooks:
            hook.remove()
    assert most == dict(infer=1, painter=1)
    assert all(map(equal, found, expected))


def test_what_is_loaded(models, work_dirs):
    assert models.describe() == (
        'fi/epoch_3.pth (VisionTransformer, 0.0 M parameters)'
    )
    assert list(models.painters) == ['pre/epoch_1.pth']
    others = 'Reconstruction by pre/epoch_1.pth'
    assert models.describe_others() == f'{others}.'
    of_detector = replace(models, people='a/yolov3.pth')
    assert of_detector.describe_others() == (
        f'{others}; people by detector a/yolov3.pth.'
    )
    with pytest.raises(ValueError, match='either a checkpoint or zero_shot'):
        load_models()
    alone = load_models(str(work_dirs[0]), device='cpu')
    assert alone.describe_others() == ''
    assert (alone.painters, alone.boxes, alone.knows_people) == (
        {},
        None,
        False,
    )
