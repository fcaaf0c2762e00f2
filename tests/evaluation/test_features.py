"""Features of a frozen encoder."""

import numpy as np
import torch
from mmpretrain.structures import DataSample

from tests.helpers import CLASSIFIER, build
from uniemox_mm.evaluation.features import extract_features, pooled


def batches(count):
    torch.manual_seed(1)
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
    samples = [DataSample().set_gt_label(i % 8) for i in range(count)]
    loader = [
        dict(inputs=list(images[i : i + 3]), data_samples=samples[i : i + 3])
        for i in range(0, count, 3)
    ]
    return images, loader


def test_no_augmentation_and_no_dropout():
    """Mixup and drop path are on in the model, but not here."""
    model = build(
        CLASSIFIER,
        backbone=dict(CLASSIFIER['backbone'], drop_path_rate=0.9),
        train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8)]),
        data_preprocessor=dict(
            num_classes=8, mean=[10.0] * 3, std=[50.0] * 3, to_rgb=True
        ),
    ).train()
    images, loader = batches(7)
    features, labels = extract_features(model, loader)
    model.eval()
    with torch.no_grad():
        pixels = (images.flip(1).float() - 10) / 50
        (expected,) = model.backbone(pixels)
    np.testing.assert_allclose(features, expected.numpy(), atol=1e-5)
    assert labels.tolist() == [i % 8 for i in range(7)]
    assert features.shape == (7, 32) and features.dtype == np.float32


def test_vectors_keep_nothing_else():
    """Not the tokens, of which the class token is a part."""
    tokens = torch.rand(3, 17, 8)
    vectors = pooled((tokens[:, 0],))
    assert torch.equal(vectors, tokens[:, 0])
    assert vectors.untyped_storage().nbytes() == 3 * 8 * 4


def test_maps_are_averaged():
    model = build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='ResNet', depth=18, num_stages=4),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=8, in_channels=512),
            data_preprocessor=dict(mean=[0.0] * 3, std=[255.0] * 3),
        )
    )
    images, loader = batches(4)
    features, _ = extract_features(model, loader)
    with torch.no_grad():
        (maps,) = model.eval().backbone(images.float() / 255)
    assert maps.shape == (4, 512, 1, 1)
    expected = maps.mean((2, 3)).numpy()
    np.testing.assert_allclose(features, expected, atol=1e-5)
