from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.runner import Runner
from torch import nn

from tests.engine.hooks.test_text_feature_hook import first_step
from tests.helpers import EMO_MAE, build, tiny_config
from tests.models.losses.test_clip_similarity_distill_loss import derive
from uniemox_mm.datasets import FI, EmoSet
from uniemox_mm.engine.hooks import ImageFeatureHook
from uniemox_mm.engine.launch import fit_to_machine
from uniemox_mm.models import CLIPSimilarityDistillLoss, CLIPTeacher


def cached(cfg):
    cfg.default_hooks.image_features = dict(
        type='ImageFeatureHook', folder=f'{cfg.work_dir}/image_features'
    )


@pytest.fixture
def distilled(monkeypatch):
    """What reaches L2 and L3: a list of Upsilon, Omega and Lambda."""
    calls, forward = [], CLIPSimilarityDistillLoss.forward

    def spy(self, *args):
        calls.append([x.detach().double().numpy() for x in args])
        return forward(self, *args)

    monkeypatch.setattr(CLIPSimilarityDistillLoss, 'forward', spy)
    return calls


@pytest.fixture
def encoded(monkeypatch):
    """How many images the teacher encodes at a time."""
    sizes, encode = [], CLIPTeacher.encode_image

    def spy(self, images):
        sizes.append(len(images))
        return encode(self, images)

    monkeypatch.setattr(CLIPTeacher, 'encode_image', spy)
    return sizes


@pytest.mark.slow
def test_losses_are_those_of_the_cached_features(
    drawn, tmp_path, distilled, encoded
):
    losses, keep = first_step(drawn, tmp_path, 'cached', cached)
    assert encoded == [32]  # all at once, before the step
    images, texts = (
        np.load(tmp_path / f'{kind}_features/features.npy').astype(float)
        for kind in ('image', 'text')
    )
    assert len(images) == len(texts) == 32
    order = keep.order[0]
    assert len(set(order)) == 8
    ((upsilon, omega, lambda_),) = distilled
    np.testing.assert_array_equal(omega, images[order])
    np.testing.assert_array_equal(lambda_, texts[order])
    np.testing.assert_allclose(
        [losses['loss_similarity'].item(), losses['loss_feature'].item()],
        derive(upsilon, images[order], texts[order]),
        atol=1e-5,
    )

    written = (tmp_path / 'image_features/features.npy').stat().st_mtime_ns
    again, _ = first_step(drawn, tmp_path, 'again', cached)
    assert encoded == [32]
    after = (tmp_path / 'image_features/features.npy').stat().st_mtime_ns
    assert after == written
    assert {k: v.item() for k, v in again.items()} == {
        k: v.item() for k, v in losses.items()
    }

    def other_teacher(cfg):
        cached(cfg)
        cfg.model.target_generator.seed = 5
        del cfg.default_hooks['text_features']

    with pytest.raises(ValueError, match='image_weights_sha256 was'):
        first_step(drawn, tmp_path, 'other', other_teacher)


@pytest.mark.slow
def test_training_goes_on_past_broken_images(own_drawn, tmp_path, distilled):
    dataset = EmoSet(str(own_drawn), split=['train', 'val'])
    bad = [5, 6]  # in a row
    for i in bad:
        path = Path(dataset.get_data_info(i)['img_path'])
        path.write_bytes(path.read_bytes()[:100])
    cfg = tiny_config(own_drawn, tmp_path)
    cfg.train_cfg.max_epochs = 2
    cfg.train_dataloader.dataset.on_bad_sample = 'skip'
    cfg.default_hooks.image_features = dict(type='ImageFeatureHook')
    fit_to_machine(cfg, 'none')
    Runner.from_cfg(cfg).train()

    stored = np.load(own_drawn / 'image_features_train+val/features.npy')
    rows = stored.astype(float).tolist()
    assert rows[5] == rows[6]  # black, both
    used = [
        [rows.index(omega.tolist()) for omega in batch[1]]
        for batch in distilled
    ]
    for epoch in (used[:3], used[3:]):
        found = sorted(i for batch in epoch for i in batch)
        expected = [i for i in range(24) if i not in bad]
        assert found == sorted([*expected, 7, 7])


def stub(dataset, **parts):
    return SimpleNamespace(
        model=build(EMO_MAE, **parts),
        train_dataloader=SimpleNamespace(dataset=dataset, num_workers=0),
        logger=SimpleNamespace(info=print),
    )


def test_a_pipeline_that_drops_the_features_is_refused(drawn, tmp_path):
    pack = dict(type='PackInputs', algorithm_keys=('caption', 'text_feature'))
    runner = stub(EmoSet(str(drawn), pipeline=[pack]))
    with pytest.raises(ValueError) as error:
        ImageFeatureHook(folder=str(tmp_path / 'c')).before_train(runner)
    assert str(error.value) == (
        'the training pipeline drops the image features: name '
        "'image_feature' in algorithm_keys of its PackInputs"
    )
    assert list(tmp_path.iterdir()) == []


def test_another_dataset_is_refused(tmp_path):
    runner = stub(FI(str(tmp_path), lazy_init=True))
    with pytest.raises(TypeError) as error:
        ImageFeatureHook().before_train(runner)
    assert str(error.value) == (
        'ImageFeatureHook needs EmoSet as the training dataset, not FI: '
        'without the hook images are encoded in the step'
    )


@pytest.mark.parametrize('wrapped', [False, True])
def test_nothing_is_computed_where_nothing_is_distilled(tmp_path, wrapped):
    runner = stub(None, distill=None, fusion=None, target_generator=None)
    if wrapped:
        runner.model = nn.DataParallel(runner.model)
    ImageFeatureHook(folder=str(tmp_path / 'c')).before_train(runner)
    assert list(tmp_path.iterdir()) == []
