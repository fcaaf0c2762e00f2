"""What is measured is the config's pipeline, to the last pixel."""

import copy
import time

import numpy as np
import pytest
from loader_speed.stages import (
    BOTH,
    SCENE,
    STEPS,
    Clock,
    Stages,
    clocked_pipeline,
)
from loader_speed.variants import (
    BY_PILLOW,
    BY_TORCH,
    SEED,
    WAYS,
    Variant,
    Way,
    measure_variants,
    way_of,
)
from mmpretrain.registry import DATASETS

from uniemox_mm.datasets import LoadEmotionImage
from uniemox_mm.datasets.transforms import fast_resize


@pytest.fixture
def pipeline(config):
    return config.train_dataloader.dataset.pipeline


def variant_of(form, way, views, pipeline, short_side=320):
    dataset = DATASETS.build(form.config([]))
    stages = Stages.of(pipeline)
    return Variant(form, dataset, way, views, stages, short_side)


def packed(form, pipeline):
    """What a dataset with this pipeline gives in the first epoch."""
    dataset = DATASETS.build(form.config(list(pipeline)))
    dataset.set_epoch(SEED, 0)
    return [dataset[i] for i in range(len(dataset))]


def parts(data):
    """Views, and all that is known of a sample."""
    views = data['inputs']
    views = views if isinstance(views, list) else [views]
    sample = data['data_samples']
    return [v.numpy() for v in views], {
        **sample.metainfo,
        **dict(sample.items()),
    }


def assert_same(found, expected):
    assert len(found) == len(expected) == 4
    for ours, theirs in zip(
        map(parts, found), map(parts, expected), strict=True
    ):
        assert repr(ours[1]) == repr(theirs[1])
        for our_view, their_view in zip(ours[0], theirs[0], strict=True):
            np.testing.assert_array_equal(our_view, their_view)


@pytest.mark.parametrize('number', [0, 1, 2])
def test_step_by_step_is_the_pipeline(forms, pipeline, number):
    variant = variant_of(forms[number], BY_TORCH, BOTH, pipeline)
    found = variant.read(epoch=0)
    assert [v.shape for v in found[0]['inputs']] == [(3, 224, 224)] * 2
    assert_same(found, packed(forms[number], pipeline))


def test_one_view_is_the_scene_alone(forms, pipeline):
    load, views, pack = pipeline
    found = variant_of(forms[1], BY_TORCH, SCENE, pipeline).read(epoch=0)
    assert found[0]['inputs'].shape == (3, 224, 224)
    assert_same(found, packed(forms[1], [load, *views.scene, pack]))


def test_scaled_is_the_loaders_option(forms, pipeline):
    scaled = copy.deepcopy(list(pipeline))
    scaled[0]['decode_short_side'] = 300
    way = Way('pillow', scaled=True, resizing='torch')
    found = variant_of(forms[0], way, BOTH, pipeline, 300).read(epoch=0)
    assert_same(found, packed(forms[0], scaled))
    for ours, whole in zip(found, packed(forms[0], pipeline), strict=True):
        # The person, since scenes are cropped elsewhere at other sizes.
        person, full = ours['inputs'][1].float(), whole['inputs'][1].float()
        assert 0 < (person - full).abs().mean() < 8


def resized_by(pipeline, scene, person):
    changed = copy.deepcopy(list(pipeline))
    changed[1]['scene'][0]['backend'] = scene
    changed[1]['person'][1]['backend'] = person
    return changed


@pytest.mark.parametrize(
    ('config_has', 'backend'), [('torch', 'pillow'), ('pillow', 'torch')]
)
def test_what_resizes_both_views(forms, pipeline, config_has, backend):
    """Is said by the way, whatever the config has."""
    given = resized_by(pipeline, config_has, config_has)
    expected = resized_by(pipeline, backend, backend)
    stages = Stages.of(given)
    assert stages.resized_by(backend) == Stages.of(expected)
    assert stages == Stages.of(given)
    way = Way('pillow', resizing=backend)
    found = variant_of(forms[0], way, BOTH, given).read(epoch=0)
    assert_same(found, packed(forms[0], expected))


def test_pillow_resizes_unless_it_is_said(forms, pipeline, monkeypatch):
    """With the config as it is, in which torch does."""
    assert Way('pillow') == BY_PILLOW
    seen = []
    whole = fast_resize.mmcv.imresize

    def look(*args, **kwargs):
        seen.append(kwargs['backend'])
        return whole(*args, **kwargs)

    monkeypatch.setattr(fast_resize.mmcv, 'imresize', look)
    for way in (BY_PILLOW, Way('cv2')):
        variant_of(forms[1], way, BOTH, pipeline).read(0, 1)
        assert seen == ['pillow'] * 2
        seen.clear()
    variant_of(forms[1], BY_TORCH, BOTH, pipeline).read(0, 1)
    assert not seen


def test_which_way_is_the_configs(pipeline):
    assert way_of(Stages.of(pipeline), 320) == BY_TORCH
    by_pillow = resized_by(pipeline, 'pillow', 'pillow')
    assert way_of(Stages.of(by_pillow), 320) == BY_PILLOW
    by_pillow[0]['decode_short_side'] = 300
    assert way_of(Stages.of(by_pillow), 300) == Way('pillow', scaled=True)
    assert way_of(Stages.of(by_pillow), 320) is None
    mixed = resized_by(pipeline, 'torch', 'pillow')
    assert way_of(Stages.of(mixed), 320) is None


def test_every_way_has_a_name_of_its_own():
    assert [way.name for way in WAYS] == [
        'Pillow',
        'OpenCV',
        'turbojpeg',
        'Pillow, scaled',
        'OpenCV, scaled',
        'turbojpeg, scaled',
        'Pillow; torch resizes',
        'Pillow, scaled; torch resizes',
    ]


def test_variants_that_share_a_dataset(forms, pipeline):
    (scene, both) = (
        variant_of(forms[1], BY_TORCH, views, pipeline)
        for views in (SCENE, BOTH)
    )
    both.dataset = scene.dataset
    first = scene.read(epoch=0)
    assert_same(both.read(epoch=0), packed(forms[1], pipeline))
    assert_same(scene.read(epoch=0), first)
    assert [len(scene.read(0, count)) for count in (1, 3)] == [1, 3]


def test_the_time_is_that_of_the_steps(forms, pipeline, monkeypatch):
    """With a clock that each step moves on by its own amount."""
    now = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: now[0])
    stages = Stages.of(pipeline)

    def taking(seconds, function):
        def call(*args):
            now[0] += seconds
            return function(*args)

        return call

    class SlowLoading(LoadEmotionImage):
        def read(self, path):
            return taking(1, super().read)(path)

        def decode(self, content):
            return taking(2, super().decode)(content)

    for views, expected in (
        (BOTH, dict(read=1, decode=2, scene=4, person=8, pack=0)),
        (SCENE, dict(read=1, decode=2, scene=4, person=0, pack=0)),
    ):
        clock = Clock()
        slow = copy.deepcopy(stages)
        slow.views['scene'].insert(0, taking(4, lambda results: results))
        slow.views['person'].insert(0, taking(8, lambda results: results))
        steps = clocked_pipeline(slow, views, SlowLoading, None, clock)
        dataset = DATASETS.build(forms[1].config([]))
        dataset.pipeline = steps
        for index in range(3):
            dataset[index]
        assert clock.seconds == {k: 3 * v for k, v in expected.items()}
        clock.reset()
        assert clock.seconds == dict.fromkeys(STEPS, 0)


def test_rounds_are_an_images_time(forms, pipeline, monkeypatch):
    """Each look at the clock is a second after the one before."""
    now = iter(range(10_000))
    monkeypatch.setattr(time, 'perf_counter', lambda: next(now))
    (scene, both) = measure_variants(
        forms[1:2], [BY_PILLOW], Stages.of(pipeline), 320, rounds=2
    )
    names = dict(form='prepared files', way='Pillow')
    # A step looks twice, and the whole, of four images, once before and
    # once after all.
    assert both == dict(
        **names,
        views=BOTH,
        seconds=dict(
            **{step: [1.0, 1.0] for step in STEPS}, all=[41 / 4, 41 / 4]
        ),
    )
    taken = {step: [float(step != 'person')] * 2 for step in STEPS}
    assert scene == dict(
        **names, views=SCENE, seconds=dict(**taken, all=[33 / 4, 33 / 4])
    )


def test_every_round_has_its_own_augmentation(forms, pipeline):
    variant = variant_of(forms[1], BY_TORCH, BOTH, pipeline)
    seen = []
    record = variant.dataset.set_epoch
    variant.dataset.set_epoch = lambda *key: (seen.append(key), record(*key))
    for epoch in (0, 1):
        variant.measure(epoch)
    assert seen == [(0, 0), (0, 1)]


def test_another_pipeline_is_refused(pipeline):
    with pytest.raises(ValueError) as error:
        Stages.of([dict(type='LoadImageFromFile'), dict(type='PackInputs')])
    assert str(error.value) == (
        'the train pipeline is LoadImageFromFile -> PackInputs; expected that '
        'of a pretraining config: LoadEmotionImage -> SceneAndPerson -> ...'
    )
