"""Batches like those of the data loader, made of nothing."""

from typing import Any

import numpy as np
import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from .reference import DETECTOR_SIZE

WORDS = ('beach', 'dog', 'angry person', 'forest', 'city', 'red ball')


def pretraining_batch(
    model: Any, batch_size: int, size: int, device: torch.device
) -> dict:
    """A batch of UniEmoX as its data loader gives it.

    Args:
        model (EmoMAE): Its teacher encodes the captions, once.
        batch_size (int): N.
        size (int): Height and width of the views in pixels.
        device (torch.device): Where training is; for a GPU the batch lies in
            pinned memory.

    Returns:
        dict: ``inputs``, scene and person, uint8 (N, 3, size, size) each,
        and ``data_samples`` with ``caption`` and ``text_feature``.
    """
    captions = [
        f'A photo of a {WORDS[i % len(WORDS)]}, number {i}'
        for i in range(batch_size)
    ]
    data_samples = [DataSample() for _ in captions]
    features = [None] * batch_size
    if model.distill is not None and model.distill.needs_text:
        features = model.target_generator.encode_text(captions).cpu().numpy()
    for sample, caption, feature in zip(
        data_samples, captions, features, strict=True
    ):
        sample.set_field(caption, 'caption')
        if feature is not None:
            sample.set_field(feature, 'text_feature')
    views = [pixels(batch_size, size, seed, device) for seed in (0, 1)]
    return dict(inputs=views, data_samples=data_samples)


def with_image_features(batch: dict, channels: int) -> dict:
    """The batch with cached features of the teacher, (C3,) float16 each."""
    rng = np.random.default_rng(2)
    data_samples = []
    for sample in batch['data_samples']:
        data_samples.append(sample.clone())
        feature = rng.standard_normal(channels).astype(np.float16)
        data_samples[-1].set_field(feature, 'image_feature')
    return dict(inputs=batch['inputs'], data_samples=data_samples)


def for_reference(batch: dict, device: torch.device) -> dict:
    """The batch with whole images for the detector and captions alone."""
    data_samples = []
    for sample in batch['data_samples']:
        data_samples.append(DataSample())
        data_samples[-1].set_field(sample.caption, 'caption')
    count = len(data_samples)
    whole = pixels(count, DETECTOR_SIZE, 3, device)
    return dict(inputs=[*batch['inputs'], whole], data_samples=data_samples)


def scene_alone(batch: dict) -> dict:
    """The scenes of the batch, for an algorithm of one view."""
    return dict(
        inputs=batch['inputs'][0],
        data_samples=[DataSample() for _ in batch['data_samples']],
    )


def classification_batch(
    batch_size: int, size: int, classes: int, device: torch.device
) -> dict:
    """A batch of labelled images, for any classifier."""
    data_samples = [
        DataSample().set_gt_label(i % classes) for i in range(batch_size)
    ]
    inputs = pixels(batch_size, size, 0, device)
    return dict(inputs=inputs, data_samples=data_samples)


def pixels(count: int, size: int, seed: int, device: torch.device) -> Tensor:
    """Random pixels, (count, 3, size, size) uint8, on the host."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 3, size, size)
    views = torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=generator
    )
    return views.pin_memory() if device.type == 'cuda' else views
