import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from tests.engine.hooks.test_epoch_seed_hook import Record
from tests.helpers import tiny_config
from uniemox_mm.engine.launch import fit_to_machine


def first_step(drawn, work_dir, name, change=lambda cfg: None):
    cfg = tiny_config(drawn, work_dir)
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    cfg.experiment_name = f'{name}-{work_dir}'.replace('/', '-')
    cfg.log_level = 'ERROR'
    change(cfg)
    fit_to_machine(cfg, 'none')
    runner = Runner.from_cfg(cfg)
    losses = {}

    class Keep(Record):
        def after_train_iter(
            self, runner, batch_idx, data_batch=None, outputs=None
        ):
            losses.update(outputs)
            sample = data_batch['data_samples'][0]
            self.has_feature = 'text_feature' in sample
            super().after_train_iter(runner, batch_idx, data_batch, outputs)

    keep = Keep(stop_at=0)
    runner.register_hook(keep)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    return losses, keep


@pytest.mark.slow
def test_cached_features_give_the_losses_of_encoding_in_the_step(
    drawn, tmp_path
):
    cached, first = first_step(drawn, tmp_path, 'cached')
    written = (tmp_path / 'text_features/features.npy').stat().st_mtime_ns
    reused, _ = first_step(drawn, tmp_path, 'reused')
    after = (tmp_path / 'text_features/features.npy').stat().st_mtime_ns
    assert written == after  # computed once

    def without(cfg):
        del cfg.default_hooks['text_features']

    encoded, second = first_step(drawn, tmp_path, 'encoded', without)
    assert first.has_feature and not second.has_feature
    assert list(cached) == list(reused) == list(encoded)
    for name in cached:
        assert torch.equal(cached[name], reused[name])
        torch.testing.assert_close(
            cached[name], encoded[name], atol=1e-5, rtol=1e-5
        )


@pytest.mark.slow
def test_a_cache_of_another_teacher_stops_the_run(drawn, tmp_path):
    first_step(drawn, tmp_path, 'first')

    def other_teacher(cfg):
        cfg.model.target_generator.seed = 5

    with pytest.raises(ValueError, match='text_weights_sha256 was'):
        first_step(drawn, tmp_path, 'other', other_teacher)


@pytest.mark.slow
def test_nothing_is_computed_where_l2_is_off(drawn, tmp_path):
    def only_features(cfg):
        cfg.model.distill.similarity_weight = 0.0

    losses, _ = first_step(drawn, tmp_path, 'off', only_features)
    assert set(losses) == {'loss', 'loss_rec', 'loss_feature'}
    assert not (tmp_path / 'text_features').exists()


@pytest.mark.slow
def test_broken_annotations_leave_a_blank_when_skipped(own_drawn, tmp_path):
    (own_drawn / 'annotation/fear/fear_00001.json').write_text('{')

    def skip(cfg):
        cfg.train_dataloader.dataset.on_bad_sample = 'skip'

    first_step(own_drawn, tmp_path, 'skip', skip)
    folder = tmp_path / 'text_features'
    captions = (folder / 'captions.txt').read_text().split('\n')[:-1]
    assert len(captions) == 24 and captions.count('') == 1
    assert np.isfinite(np.load(folder / 'features.npy')).all()
