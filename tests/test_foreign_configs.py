"""Our parts in configs that are otherwise MMPretrain's."""

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from tests.helpers import BACKBONE, DECODER, HEAD, PREPROCESSOR

CROP = dict(type='RandomResizedCrop', scale=32)


def train_two_iterations(model, dataset, work_dir):
    losses = []

    def keep(runner, batch_idx, data_batch=None, outputs=None):
        losses.append(outputs['loss'].item())

    cfg = Config(
        dict(
            default_scope='mmpretrain',
            custom_imports=dict(imports=['uniemox_mm']),
            model=model,
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                collate_fn=dict(type='default_collate'),
                dataset=dataset,
            ),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=2),
            work_dir=str(work_dir),
            experiment_name=f'foreign-{model["type"]}-{id(losses)}',
            log_level='WARNING',
        )
    )
    runner = Runner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    hook = runner.hooks[0]
    hook.after_train_iter = keep
    runner.train()
    assert len(losses) == 2
    after = runner.model.state_dict()
    changed = [k for k in before if not before[k].equal(after[k].cpu())]
    return losses, changed


def emoset(drawn, load, split='train'):
    pipeline = [dict(type=load), CROP, dict(type='PackInputs')]
    return dict(
        type='EmoSet', data_root=str(drawn), split=split, pipeline=pipeline
    )


@pytest.mark.slow
def test_supervised_resnet_on_emoset(drawn, tmp_path):
    model = dict(
        type='ImageClassifier',
        data_preprocessor=dict(
            PREPROCESSOR, type='ClsDataPreprocessor', num_classes=8
        ),
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=8, in_channels=512),
    )
    dataset = emoset(drawn, 'LoadImageFromFile')
    losses, changed = train_two_iterations(model, dataset, tmp_path)
    assert losses[0] == pytest.approx(2.08, abs=1.0)  # ln 8 at chance
    assert 'head.fc.weight' in changed


@pytest.mark.slow
def test_plain_mae_with_our_encoder_and_decoder(drawn, tmp_path):
    model = dict(
        type='MAE',
        data_preprocessor=dict(PREPROCESSOR, type='SelfSupDataPreprocessor'),
        backbone=BACKBONE,
        neck=DECODER,
        head=HEAD,
    )
    dataset = emoset(drawn, 'LoadEmotionImage', 'val')
    losses, changed = train_two_iterations(model, dataset, tmp_path)
    assert 0.5 < losses[0] < 5
    assert 'backbone.patch_embed.projection.weight' in changed
    assert 'neck.decoder_pred.weight' in changed
