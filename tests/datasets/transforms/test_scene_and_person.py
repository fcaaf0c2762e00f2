import numpy as np
from mmpretrain.registry import TRANSFORMS

from tests.datasets.miniatures import sample

FLIP = dict(type='RandomFlip', prob=1.0)


def test_two_views_of_one_image():
    both = TRANSFORMS.build(
        dict(
            type='SceneAndPerson',
            scene=[dict(type='CenterCrop', crop_size=40)],
            person=[dict(type='PersonCrop'), FLIP],
        )
    )
    given = sample()
    original = given['img'].copy()
    results = both(given)
    scene, person = results['img']
    np.testing.assert_array_equal(scene, original[20:60, 40:80])
    np.testing.assert_array_equal(person, original[10:40, 50:110][:, ::-1])
    assert results['person_box'] == (50, 10, 110, 40)
    assert results['img_shape'] == (40, 40)


def test_views_do_not_disturb_each_other():
    both = TRANSFORMS.build(
        dict(type='SceneAndPerson', scene=[FLIP], person=[])
    )
    given = sample()
    original = given['img'].copy()
    scene, person = both(given)['img']
    np.testing.assert_array_equal(person, original)
    np.testing.assert_array_equal(scene, original[:, ::-1])


def test_packs_into_two_inputs():
    both = TRANSFORMS.build(dict(type='SceneAndPerson', scene=[], person=[]))
    pack = TRANSFORMS.build(
        dict(type='PackInputs', algorithm_keys=('caption',))
    )
    packed = pack(both(dict(sample(), caption='a photo')))
    assert [tuple(x.shape) for x in packed['inputs']] == [(3, 80, 120)] * 2
    assert packed['data_samples'].caption == 'a photo'
