"""What timm builds has the same weights and gives the same numbers."""

import numpy as np
import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from safetensors.torch import load_file

from tests.helpers import CLASSIFIER, EMO_MAE, ROOT
from tests.weights.comparing import CLASSES, close, logits, randomised, same
from tests.weights.plain_mae import encoder_of, random_mae
from uniemox_mm.apis.load_model import build_model
from uniemox_mm.export import export_checkpoint
from uniemox_mm.export.preprocessing import describe_preprocessing
from uniemox_mm.export.timm_export import timm_model
from uniemox_mm.export.trained_model import TrainedModel
from uniemox_mm.weights import convert_checkpoint
from uniemox_mm.weights.read_checkpoint import load_weights


def test_mae_to_ours_to_timm_and_back(tmp_path):
    weights = random_mae().state_dict()
    torch.save(dict(model=weights), tmp_path / 'mae.pth')
    convert_checkpoint(tmp_path / 'mae.pth', tmp_path / 'ours.pth')
    ours = load_weights(tmp_path / 'ours.pth')
    Config(dict(model=EMO_MAE)).dump(tmp_path / 'tiny.py')
    export_checkpoint(tmp_path / 'ours.pth', tmp_path / 'timm', 'timm')
    exported = tmp_path / 'timm' / 'model.safetensors'
    same(load_file(exported), encoder_of(weights))
    convert_checkpoint(exported, tmp_path / 'back.pth')
    same(
        load_weights(tmp_path / 'back.pth'),
        {k: v for k, v in ours.items() if k.startswith('backbone.')},
    )


def test_timm_builds_the_pretrained_encoder(pretraining, tmp_path):
    checkpoint, model = pretraining
    export_checkpoint(checkpoint, tmp_path / 'timm', 'timm')
    other = timm.create_model(f'local-dir:{tmp_path}/timm', pretrained=True)
    weights = load_file(tmp_path / 'timm' / 'model.safetensors')
    other.load_state_dict(weights, strict=True)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        tokens = model.extract_feat(images)[-1]
        close(other.eval().forward_features(images), tokens)
        close(other(images), tokens[:, 0])


@pytest.mark.parametrize('pool', ['avg', 'token'])
def test_timm_builds_the_classifier(classifier, tmp_path, pool):
    folder, model = classifier
    if pool == 'token':
        changes = dict(out_type='cls_token', final_norm=True)
        settings = dict(CLASSIFIER['backbone'], **changes)
        model = randomised(dict(CLASSIFIER, backbone=settings))
        torch.save(model.state_dict(), folder / 'epoch_3.pth')
        config = Config.fromfile(folder / 'tiny.py')
        config.model.backbone.update(changes)
        config.dump(folder / 'tiny.py')
    export_checkpoint(folder, tmp_path / 'timm', 'timm')
    other = timm.create_model(f'local-dir:{tmp_path}/timm', pretrained=True)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        close(other.eval()(images), logits(model, images))
        (features,) = model.extract_feat(images)
        close(
            other.forward_head(other.forward_features(images), True), features
        )
    known = other.pretrained_cfg
    assert other.default_cfg['label_names'] == CLASSES
    data = timm.data.resolve_data_config(known)
    assert data == dict(
        input_size=(3, 32, 32),
        interpolation='bicubic',
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        crop_pct=32 / 36,
        crop_mode='center',
    )


def test_timm_makes_images_ready_as_the_test_pipeline_does(tmp_path):
    """Which is what the JSON says, in timm's words."""
    cfg = Config.fromfile(ROOT / 'configs/finetune/vit-l_uniemox_fi.py')
    images = describe_preprocessing(cfg)
    mean, std = (
        255 * torch.tensor(images[key]).reshape(3, 1, 1)
        for key in ('mean', 'std')
    )
    steps = cfg.test_dataloader.dataset.pipeline
    ours = Compose([TRANSFORMS.build(step) for step in steps])
    theirs = timm.data.create_transform(
        (3, images['center_crop'], images['center_crop']),
        interpolation=images['interpolation'],
        mean=images['mean'],
        std=images['std'],
        crop_pct=images['center_crop'] / images['resize_short_edge'],
    )
    noise = np.random.default_rng(0)
    for height, width in ((257, 400), (300, 255), (1000, 301), (90, 91)):
        path = tmp_path / f'{height}.png'
        pixels = noise.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        found = ours(dict(img_path=str(path), gt_label=0))['inputs']
        found = (found.flip(0) - mean) / std  # BGR
        close(theirs(Image.open(path)), found)


def test_real_sizes_have_timms_own_names():
    for config, name in (
        ('finetune/vit-l_uniemox_fi', 'vit_large_patch16_224'),
        ('finetune/vit-b_uniemox_fi', 'vit_base_patch16_224'),
        ('uniemox_vit-l_pretrain', 'vit_large_patch16_224'),
    ):
        cfg = Config.fromfile(ROOT / f'configs/{config}.py')
        with torch.device('meta'):
            model = build_model(cfg)
        classes = tuple(CLASSES) if 'finetune' in config else None
        trained = TrainedModel(
            'c', '', cfg, dict(model.state_dict()), model, classes
        )
        found, arguments = timm_model(trained)
        with torch.device('meta'):
            other = timm.create_model(found, **arguments)
        assert found == name and len(arguments) == 2
        expected = sum(v.numel() for v in model.backbone.parameters())
        expected += sum(v.numel() for v in model.head.parameters())
        assert sum(v.numel() for v in other.parameters()) == expected
