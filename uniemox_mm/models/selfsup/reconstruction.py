"""Reconstruct images with a masked autoencoder and given masks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from mmpretrain.models import BaseSelfSupervisor, MAEViT
from torch import Tensor, nn

_GREY = 128


@dataclass(frozen=True)
class Reconstruction:
    """Pictures of N images, each (N, H, W, 3) uint8 RGB.

    Attributes:
        original (np.ndarray): The images.
        masked (np.ndarray): With hidden patches in grey.
        reconstruction (np.ndarray): Prediction of the decoder, everywhere.
        pasted (np.ndarray): The reconstruction in hidden patches, the
            original in visible ones.
        hidden (np.ndarray): (N, H, W) bool.
    """

    original: np.ndarray
    masked: np.ndarray
    reconstruction: np.ndarray
    pasted: np.ndarray
    hidden: np.ndarray


def check_reconstructs(model: BaseSelfSupervisor) -> None:
    """Refuse models that do not reconstruct pixels.

    Raises:
        ValueError: The model is not a masked autoencoder of MMPretrain's,
            or was pretrained without reconstruction.
    """
    name = type(model).__name__
    parts = all(
        getattr(model, part, None) is not None for part in ('neck', 'head')
    )
    if not parts or not hasattr(model.head, 'unpatchify'):
        raise ValueError(
            f'{name} reconstructs no images here: expected EmoMAE or MAE with '
            'a decoder and a head (pretraining, with L1)'
        )
    if not isinstance(model.backbone, MAEViT):
        raise ValueError(
            f'{type(model.backbone).__name__} does not mask as MAEViT does; '
            'expected DualStreamViT or MAEViT'
        )


def draw_masks(count: int, patches: int, seed: int) -> Tensor:
    """Draw random numbers whose order decides which patches are hidden.

    They come from a generator of their own, on the CPU, so that they are the
    same for all models and devices, and no other randomness changes.

    Returns:
        Tensor: (count, patches) in [0, 1); the largest are hidden.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, patches, generator=generator)


def visible_patches(patches: int, mask_ratio: float) -> int:
    """Number of patches that MAE leaves visible.

    Raises:
        ValueError: The ratio hides nothing or everything.
    """
    visible = int(patches * (1 - mask_ratio))
    if not 0 < visible < patches:
        raise ValueError(
            f'a mask ratio of {mask_ratio} leaves {visible} of {patches} '
            'patches visible; expected some, and some to be hidden'
        )
    return visible


@contextmanager
def masks_given(
    backbone: nn.Module, order: Tensor, mask_ratio: float
) -> Iterator[None]:
    """Make a backbone hide given patches instead of random ones.

    Args:
        backbone (nn.Module): A ``MAEViT``.
        order (Tensor): Random numbers of :func:`draw_masks`, (N, L).
        mask_ratio (float): Ratio of hidden patches.

    Raises:
        ValueError: The ratio hides nothing or everything.
    """
    visible = visible_patches(order.shape[1], mask_ratio)

    def masking(tokens: Tensor, _: float) -> tuple[Tensor, Tensor, Tensor]:
        shuffle = order.to(tokens.device).argsort(dim=1)  # (N, L)
        restore = shuffle.argsort(dim=1)
        kept = shuffle[:, :visible, None].expand(-1, -1, tokens.shape[2])
        return tokens.gather(1, kept), (restore >= visible).float(), restore

    vars(backbone)['random_masking'] = masking  # before that of the class
    try:
        yield
    finally:
        del vars(backbone)['random_masking']


def reconstruct(
    model: BaseSelfSupervisor, scene: Tensor
) -> tuple[Tensor, Tensor]:
    """Reconstruct images from their visible patches.

    Args:
        model (BaseSelfSupervisor): An ``EmoMAE``, or MMPretrain's ``MAE``.
        scene (Tensor): Normalised pixels, (N, 3, H, W).

    Returns:
        tuple[Tensor, Tensor]: The prediction for all patches,
        normalised like the input, (N, 3, H, W), and the mask with 1 where a
        pixel was hidden, (N, 3, H, W). With ``norm_pix`` each patch gets
        back the mean and deviation of the original.
    """
    latent, mask, ids_restore = model.backbone(scene)
    pred = model.neck(latent, ids_restore)
    if model.head.norm_pix:
        patches = model.head.patchify(scene)
        var, mean = torch.var_mean(patches, dim=-1, keepdim=True)
        pred = pred * (var + 1e-6).sqrt() + mean
    mask = mask.unsqueeze(-1).expand_as(pred)
    return model.head.unpatchify(pred), model.head.unpatchify(mask)


@torch.no_grad()
def render_reconstructions(
    model: BaseSelfSupervisor, images: Tensor, order: Tensor, mask_ratio: float
) -> Reconstruction:
    """Reconstruct images under given masks, as pictures.

    The model runs in eval mode and is left as it was; nothing is drawn from
    PyTorch's own generators.

    Args:
        model (BaseSelfSupervisor): An ``EmoMAE``, or MMPretrain's ``MAE``.
        images (Tensor): (N, 3, H, W) uint8, BGR as MMCV decodes it.
        order (Tensor): Random numbers of :func:`draw_masks`, (N, L).
        mask_ratio (float): Ratio of hidden patches.

    Returns:
        Reconstruction: The pictures.

    Raises:
        ValueError: The model does not reconstruct, or the ratio hides
            nothing or everything.
    """
    check_reconstructs(model)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    preprocessor = model.data_preprocessor
    try:
        batch = preprocessor(dict(inputs=images, data_samples=None))
        with masks_given(model.backbone, order, mask_ratio):
            pred, mask = reconstruct(model, batch['inputs'])
    finally:
        for module, training in modes:
            module.training = training
    if getattr(preprocessor, 'mean', None) is not None:
        pred = pred * preprocessor.std + preprocessor.mean
    pixels = _last(pred.round().clamp(0, 255).byte())
    original = _last(images)[..., ::-1]
    if not preprocessor._channel_conversion:
        pixels = pixels[..., ::-1]
    hidden = _last(mask)[..., :1] > 0
    return Reconstruction(
        original=original,
        masked=np.where(hidden, np.uint8(_GREY), original),
        reconstruction=pixels,
        pasted=np.where(hidden, pixels, original),
        hidden=hidden[..., 0],
    )


def _last(pixels: Tensor) -> np.ndarray:
    """(N, C, H, W) -> (N, H, W, C)."""
    return pixels.permute(0, 2, 3, 1).cpu().numpy()
