"""What other people's configs depend on."""

import importlib
import re

import pytest
from mmpretrain.registry import (
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    TRANSFORMS,
)

import uniemox_mm

from .helpers import ROOT


@pytest.mark.parametrize(
    ('registry', 'names'),
    [
        (
            MODELS,
            'EmoMAE DualStreamViT EmoMAEDecoder WeightedSumFusion '
            'AttentionFusion GatedAttentionFusion AdditionFusion CLIPTeacher '
            'CLIPSimilarityDistillLoss PersonDetector',
        ),
        (DATASETS, 'EmoSet CAERS FI UnbiasedEmo Emotion6 HECO Emo8'),
        (METRICS, 'EmotionReport'),
        (TRANSFORMS, 'PersonCrop SceneAndPerson LoadEmotionImage'),
        (
            HOOKS,
            'EpochSeedHook TextFeatureHook BadSampleHook FiniteLossHook '
            'ProgressBarHook EncoderWeightsHook ResumedValidationHook',
        ),
    ],
)
def test_registered_names(registry, names):
    for name in names.split():
        found = registry.get(name)
        assert found is not None and found.__module__.startswith('uniemox_mm')


def test_a_framework_out_of_range_is_refused(monkeypatch):
    import mmpretrain

    monkeypatch.setattr(mmpretrain, '__version__', '0.9.0')
    with pytest.raises(ImportError) as error:
        uniemox_mm._check_versions()
    for part in ('mmpretrain>=1.2.0,<2.0.0', 'found mmpretrain 0.9.0', '[mm]'):
        assert part in str(error.value)


def test_a_missing_framework_is_explained(monkeypatch):
    real = importlib.import_module

    def missing(name):
        if name == 'mmcv':
            raise ModuleNotFoundError("No module named 'mmcv'", name='mmcv')
        return real(name)

    monkeypatch.setattr(uniemox_mm, 'import_module', missing)
    with pytest.raises(ImportError, match=r'needs mmcv>=2\.0\.1.*\[mm\]'):
        uniemox_mm._check_versions()


def test_what_setup_asks_for_is_pinned():
    asked = re.findall(
        r"^ +'([\w-]+)>=", (ROOT / 'setup.py').read_text(), re.M
    )
    pins = (ROOT / 'constraints.txt').read_text()
    loose = {n for n in asked if not re.search(rf'^{n}==', pins, re.M)}
    assert loose == {'mmengine', 'mmcv', 'mmpretrain', 'mmdet'}  # [openmmlab]
