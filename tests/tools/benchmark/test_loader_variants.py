"""What is measured is the config's pipeline, to the last pixel."""

import copy
import sys
import time
from pathlib import Path

import loader_variants
import numpy as np
import pytest
from loader_variants import (
    BOTH,
    DECODERS,
    SCENE,
    STEPS,
    VARIANTS,
    CV2Loading,
    Variant,
    timed_pipeline,
    variant_of,
    why_missing,
    with_resize,
)
from mmpretrain.registry import DATASETS
from PIL import Image

from uniemox_mm.datasets import LoadEmotionImage
from uniemox_mm.datasets.transforms import fast_resize

PILLOW, TORCH = Variant('pillow'), Variant('pillow', resize='torch')


@pytest.fixture
def pipeline(pretraining):
    return list(pretraining.train_dataloader.dataset.pipeline)


def image_of(formats, number=0):
    return str(sorted(Path(formats[0].data_root).rglob('*.jpg'))[number])


@pytest.mark.parametrize('short_side', [None, 300, 150])
@pytest.mark.parametrize('decoder', list(DECODERS))
def test_decoders_agree(formats, decoder, short_side):
    if why := why_missing(decoder):
        pytest.skip(why)
    path = image_of(formats, 1)
    found, expected = (
        loader(decode_short_side=short_side)(dict(img_path=path))
        for loader in (DECODERS[decoder], LoadEmotionImage)
    )
    ours, theirs = found.pop('img'), expected.pop('img')
    assert found == expected
    # Other versions of the library round differently.
    assert np.abs(ours.astype(int) - theirs).mean() < 1


@pytest.mark.parametrize('kind', ['rotated', 'gray', 'png'])
def test_only_plain_jpegs_are_not_left_to_pillow(formats, tmp_path, kind):
    path = tmp_path / ('a.png' if kind == 'png' else 'a.jpg')
    exif = Image.Exif()
    exif[0x0112] = 6 if kind == 'rotated' else 1
    with Image.open(image_of(formats)) as image:
        mode = 'L' if kind == 'gray' else 'RGB'
        image.convert(mode).save(path, exif=exif)

    class Refusing(CV2Loading):
        def decode_jpeg(self, content, scale):
            raise AssertionError

    found = Refusing()(dict(img_path=str(path)))
    expected = LoadEmotionImage()(dict(img_path=str(path)))
    np.testing.assert_array_equal(found['img'], expected['img'])


def test_missing_decoders_are_explained(monkeypatch):
    assert why_missing('pillow') == why_missing('cv2') == ''
    monkeypatch.setitem(sys.modules, 'turbojpeg', None)
    assert why_missing('turbojpeg') == 'PyTurboJPEG is not installed'

    def no_library():
        raise RuntimeError('Unable to locate it\nand more')

    monkeypatch.setitem(loader_variants.DECODERS, 'turbojpeg', no_library)
    assert why_missing('turbojpeg') == 'Unable to locate it'


def packed(data, pipeline):
    """The samples of a dataset with this pipeline in the first epoch."""
    dataset = DATASETS.build(data.config(pipeline))
    dataset.set_epoch(0, 0)
    return [dataset[i] for i in range(len(dataset))]


def read(data, pipeline, variant, views=BOTH, short_side=320):
    dataset = DATASETS.build(data.config())
    dataset.pipeline = timed_pipeline(pipeline, variant, views, short_side, {})
    dataset.set_epoch(0, 0)
    return [dataset[i] for i in range(len(dataset))]


def assert_same(found, expected):
    assert len(found) == len(expected) == 4
    for ours, theirs in zip(found, expected, strict=True):
        first, second = ours['data_samples'], theirs['data_samples']
        assert repr(first.metainfo) == repr(second.metainfo)
        assert repr(dict(first.items())) == repr(dict(second.items()))
        for a, b in zip(ours['inputs'], theirs['inputs'], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('number', [0, 1, 2])
def test_timed_pipeline_is_the_configs(formats, pipeline, number):
    found = read(formats[number], pipeline, TORCH)
    assert [v.shape for v in found[0]['inputs']] == [(3, 224, 224)] * 2
    assert_same(found, packed(formats[number], pipeline))


def test_one_view_is_the_scene_alone(formats, pipeline):
    load, views, pack = pipeline
    found = read(formats[1], pipeline, TORCH, SCENE)
    assert found[0]['inputs'].shape == (3, 224, 224)
    assert_same(found, packed(formats[1], [load, *views.scene, pack]))


def test_scaled_is_the_loaders_option(formats, pipeline):
    scaled = copy.deepcopy(pipeline)
    scaled[0]['decode_short_side'] = 300
    variant = Variant('pillow', scaled=True, resize='torch')
    found = read(formats[0], pipeline, variant, short_side=300)
    assert_same(found, packed(formats[0], scaled))
    for ours, whole in zip(found, packed(formats[0], pipeline), strict=True):
        # The person, since scenes are cropped elsewhere at other sizes.
        person, full = ours['inputs'][1].float(), whole['inputs'][1].float()
        assert 0 < (person - full).abs().mean() < 8


def resized_by(pipeline, scene, person):
    changed = copy.deepcopy(pipeline)
    changed[1]['scene'][0]['backend'] = scene
    changed[1]['person'][1]['backend'] = person
    return changed


@pytest.mark.parametrize(
    ('config_has', 'backend'), [('torch', 'pillow'), ('pillow', 'torch')]
)
def test_variant_decides_what_resizes(
    formats, pipeline, config_has, backend, monkeypatch
):
    given = resized_by(pipeline, config_has, config_has)
    expected = resized_by(pipeline, backend, backend)
    assert with_resize(given, backend) == expected
    assert given == resized_by(pipeline, config_has, config_has)
    variant = Variant('pillow', resize=backend)
    assert_same(read(formats[0], given, variant), packed(formats[0], expected))
    seen = []
    whole = fast_resize.mmcv.imresize
    monkeypatch.setattr(
        fast_resize.mmcv,
        'imresize',
        lambda *a, **k: [seen.append(k['backend']), whole(*a, **k)][1],
    )
    read(formats[1], given, Variant('cv2', resize=backend))
    assert set(seen) == ({'pillow'} if backend == 'pillow' else set())


def test_variant_of_a_config(pipeline):
    assert variant_of(pipeline, 320) == TORCH
    by_pillow = resized_by(pipeline, 'pillow', 'pillow')
    assert variant_of(by_pillow, 320) == PILLOW
    by_pillow[0]['decode_short_side'] = 300
    assert variant_of(by_pillow, 300) == Variant('pillow', scaled=True)
    assert variant_of(by_pillow, 320) is None
    assert variant_of(resized_by(pipeline, 'torch', 'pillow'), 320) is None
    with pytest.raises(ValueError, match='LoadImageFromFile -> PackInputs'):
        variant_of(
            [dict(type='LoadImageFromFile'), dict(type='PackInputs')], 320
        )


def test_names_of_variants():
    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == 8
    assert names[3] == 'Pillow, scaled'
    assert names[-1] == 'Pillow, scaled; torch resizes'


@pytest.mark.parametrize(('views', 'person'), [(BOTH, 8), (SCENE, 0)])
def test_times_are_those_of_the_steps(
    formats, pipeline, monkeypatch, views, person
):
    """With a clock that each step moves on by its own amount."""
    now = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: now[0])

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

    monkeypatch.setitem(loader_variants.DECODERS, 'pillow', SlowLoading)
    monkeypatch.setattr(
        loader_variants, 'with_resize', lambda given, backend: given
    )
    slow = copy.deepcopy(pipeline)
    slow[1]['scene'].insert(0, taking(4, lambda results: results))
    slow[1]['person'].insert(0, taking(8, lambda results: results))
    seconds = {}
    dataset = DATASETS.build(formats[1].config())
    dataset.pipeline = timed_pipeline(slow, PILLOW, views, 320, seconds)
    assert seconds == dict.fromkeys(STEPS, 0)
    for index in range(3):
        dataset[index]
    assert seconds == dict(
        read=3, decode=6, scene=12, person=3 * person, pack=0
    )
