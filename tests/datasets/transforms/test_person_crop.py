import numpy as np
import pytest

from tests.datasets.miniatures import BOXES, sample
from uniemox_mm.datasets import BadSampleError, PersonCrop


def corners(results):
    """The crop as x1, y1, x2, y2, read from its pixels."""
    image = results['img']
    return (*image[0, 0, :2].tolist(), *(image[-1, -1, :2] + 1).tolist())


@pytest.mark.parametrize(
    ('policy', 'box'),
    [
        ('largest', (50, 10, 110, 40)),
        ('best_score', (110, 72, 116, 78)),
        ('union', (10, 10, 116, 78)),
    ],
)
def test_policies(policy, box):
    results = PersonCrop(policy)(sample())
    assert corners(results) == box == results['person_box']
    assert results['img_shape'] == results['img'].shape[:2]


def test_random_takes_every_box_and_follows_numpys_seed():
    crop = PersonCrop('random')
    np.random.seed(0)
    first = [corners(crop(sample())) for _ in range(30)]
    assert set(first) == {tuple(b[:4]) for b in BOXES}
    np.random.seed(0)
    assert [corners(crop(sample())) for _ in range(30)] == first


def test_margin_is_relative_and_cut_at_the_border():
    inside = sample([[40, 30, 60, 50, 1.0]])
    assert corners(PersonCrop(margin=0.25)(inside)) == (35, 25, 65, 55)
    at_edge = sample([[0, 60, 120, 80, 1.0]])
    assert corners(PersonCrop(margin=0.5)(at_edge)) == (0, 50, 120, 80)


def test_fractions_of_pixels_are_kept_whole():
    results = PersonCrop()(sample([[10.6, 20.2, 30.4, 40.0, 1.0]]))
    assert corners(results) == (10, 20, 31, 40)


@pytest.mark.parametrize('persons', [[], np.zeros((0, 5)), None])
def test_whole_image_without_a_person(persons):
    given = sample(persons)
    if persons is None:
        del given['persons']
    results = PersonCrop()(given)
    assert corners(results) == (0, 0, 120, 80)
    assert results['person_box'] is None


def test_low_scores_do_not_count():
    assert corners(PersonCrop(min_score=0.9)(sample())) == (110, 72, 116, 78)
    nobody = PersonCrop(min_score=0.999)(sample())
    assert nobody['person_box'] is None


def test_boxes_over_the_border_are_clipped():
    results = PersonCrop()(sample([[-7, -3, 40, 500, 1.0]]))
    assert corners(results) == (0, 0, 40, 80)


@pytest.mark.parametrize(
    ('box', 'message'),
    [
        ([130, 10, 150, 40, 1.0], 'is outside the image'),
        ([-30, 10, -5, 40, 1.0], 'is outside the image'),
        ([10, 80, 20, 95, 1.0], 'is outside the image'),
        ([10, 10, 10, 40, 1.0], 'is empty'),
        ([30, 10, 20, 40, 1.0], 'is empty'),
        ([float('nan'), 10, 20, 40, 1.0], 'is not finite'),
        ([10, 10, float('inf'), 40, 1.0], 'is not finite'),
        ([10, 10, 20, 40], 'does not have five values'),
        (['a', 10, 20, 40, 1.0], 'is not numeric'),
    ],
)
def test_broken_boxes_name_the_image(box, message):
    with pytest.raises(BadSampleError, match=f'a.jpg: .*{message}.* 120 x 80'):
        PersonCrop()(sample([box]))


def test_must_come_before_resizing():
    given = sample()
    given['img'] = given['img'][:40]
    with pytest.raises(ValueError, match='before the transforms that resize'):
        PersonCrop()(given)


def test_wrong_options():
    with pytest.raises(ValueError, match=r"'largest'.* but is 'first'"):
        PersonCrop('first')
    with pytest.raises(ValueError, match='margin must be at least 0'):
        PersonCrop(margin=-0.1)
