from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from safetensors.numpy import load_file
from torch import nn

from tests.engine.hooks.tiny_runner import first_step
from tests.helpers import EMO_MAE, build, tiny_config
from uniemox_mm.datasets import FI, EmoSet
from uniemox_mm.datasets.features.feature_cache import FILE
from uniemox_mm.engine.hooks import ImageFeatureHook, TextFeatureHook
from uniemox_mm.engine.launch import fit_to_machine
from uniemox_mm.models import CLIPSimilarityDistillLoss, CLIPTeacher


def without_text(cfg):
    del cfg.default_hooks['text_features']


def with_images(cfg):
    cfg.default_hooks.image_features = dict(
        type='ImageFeatureHook', folder=f'{cfg.work_dir}/image_features'
    )


@pytest.fixture
def distilled(monkeypatch):
    """The arguments of L2 and L3: a list of Upsilon, Omega and Lambda."""
    calls, forward = [], CLIPSimilarityDistillLoss.forward

    def spy(self, *args):
        calls.append([x.detach() for x in args])
        return forward(self, *args)

    monkeypatch.setattr(CLIPSimilarityDistillLoss, 'forward', spy)
    return calls


@pytest.fixture
def encoded(monkeypatch):
    """Sizes of the batches of images that the teacher encodes."""
    sizes, encode = [], CLIPTeacher.encode_image

    def spy(self, images):
        sizes.append(len(images))
        return encode(self, images)

    monkeypatch.setattr(CLIPTeacher, 'encode_image', spy)
    return sizes


@pytest.mark.slow
def test_text_features_give_the_losses_of_encoding_in_the_step(
    drawn, tmp_path
):
    cached, first = first_step(drawn, tmp_path, 'cached')
    file = tmp_path / 'text_features' / FILE
    written = file.stat().st_mtime_ns
    reused, _ = first_step(drawn, tmp_path, 'reused')
    assert file.stat().st_mtime_ns == written  # computed once
    encoded, second = first_step(drawn, tmp_path, 'encoded', without_text)
    assert 'text_feature' in first[0] and 'text_feature' not in second[0]
    assert list(cached) == list(reused) == list(encoded)
    for name in cached:
        assert torch.equal(cached[name], reused[name])
        torch.testing.assert_close(
            cached[name], encoded[name], atol=1e-5, rtol=1e-5
        )


@pytest.mark.slow
def test_image_features_give_the_losses_of_their_rows(
    drawn, tmp_path, distilled, encoded
):
    losses, samples = first_step(drawn, tmp_path, 'cached', with_images)
    assert encoded == [32]  # all at once, before the step
    order = [sample.sample_idx for sample in samples]
    assert len(set(order)) == 8
    files = [tmp_path / f'{k}_features' / FILE for k in ('image', 'text')]
    images, texts = (
        torch.from_numpy(load_file(file)['features']).float() for file in files
    )
    assert len(images) == len(texts) == 32
    ((upsilon, omega, lambda_),) = distilled
    assert torch.equal(omega, images[order])
    assert torch.equal(lambda_, texts[order])
    expected = CLIPSimilarityDistillLoss()(
        upsilon, images[order], texts[order]
    )
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)

    written = files[0].stat().st_mtime_ns
    again, _ = first_step(drawn, tmp_path, 'again', with_images)
    assert encoded == [32]
    assert files[0].stat().st_mtime_ns == written
    assert again == losses


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['text', 'image'])
def test_a_cache_of_another_teacher_stops_the_run(drawn, tmp_path, kind):
    def configure(cfg):
        if kind == 'image':
            with_images(cfg)
            without_text(cfg)

    def other_teacher(cfg):
        configure(cfg)
        cfg.model.target_generator.seed = 5

    first_step(drawn, tmp_path, 'first', configure)
    with pytest.raises(ValueError, match=f'{kind}_weights_sha256 was'):
        first_step(drawn, tmp_path, 'other', other_teacher)


@pytest.mark.slow
def test_no_text_features_where_l2_is_off(drawn, tmp_path):
    def only_features(cfg):
        cfg.model.distill.similarity_weight = 0.0

    losses, _ = first_step(drawn, tmp_path, 'off', only_features)
    assert set(losses) == {'loss', 'loss_rec', 'loss_feature'}
    assert not (tmp_path / 'text_features').exists()


@pytest.mark.slow
def test_skipped_annotations_leave_a_blank_caption(own_drawn, tmp_path):
    (own_drawn / 'annotation/fear/fear_00001.json').write_text('{')

    def skip(cfg):
        cfg.train_dataloader.dataset.on_bad_sample = 'skip'

    first_step(own_drawn, tmp_path, 'skip', skip)
    stored = load_file(tmp_path / 'text_features' / FILE)
    captions = stored['keys'].tobytes().decode().split('\n')[:-1]
    assert len(captions) == 24 and captions.count('') == 1
    assert np.isfinite(stored['features']).all()


@pytest.mark.slow
def test_skipped_images_are_replaced_with_their_rows(
    own_drawn, tmp_path, distilled
):
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

    stored = load_file(own_drawn / 'image_features_train+val' / FILE)
    rows = stored['features'].astype(float).tolist()
    assert rows[5] == rows[6]  # black, both
    used = [
        [rows.index(row.tolist()) for row in call[1]] for call in distilled
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
    with pytest.raises(ValueError, match=r"'image_feature'.*PackInputs"):
        ImageFeatureHook(folder=str(tmp_path / 'c')).before_train(runner)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('hook', [ImageFeatureHook, TextFeatureHook])
def test_another_dataset_is_refused(tmp_path, hook):
    runner = stub(FI(str(tmp_path), lazy_init=True))
    with pytest.raises(TypeError, match=f'{hook.__name__}.*EmoSet.*not FI'):
        hook().before_train(runner)


@pytest.mark.parametrize('wrapped', [False, True])
@pytest.mark.parametrize('hook', [ImageFeatureHook, TextFeatureHook])
def test_nothing_is_computed_without_distillation(tmp_path, hook, wrapped):
    runner = stub(None, distill=None, fusion=None, target_generator=None)
    if wrapped:
        runner.model = nn.DataParallel(runner.model)
    hook(folder=str(tmp_path / 'c')).before_train(runner)
    assert list(tmp_path.iterdir()) == []
