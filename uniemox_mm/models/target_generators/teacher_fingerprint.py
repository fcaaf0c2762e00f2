"""Fingerprints of a teacher, to detect stale cached features."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def text_fingerprint(clip: Any, architecture: Mapping) -> dict[str, Any]:
    """Fingerprint the text tower of an open_clip model.

    Args:
        clip (nn.Module): The model.
        architecture (Mapping): open_clip's config of it.

    Returns:
        dict: Plain JSON.
    """
    parts = ('text_cfg', 'quick_gelu', 'custom_text')
    weights = {
        name: value
        for name, value in clip.state_dict().items()
        if not name.startswith('visual.') and name != 'logit_scale'
    }
    return dict(
        text_architecture=_pick(architecture, parts),
        context_length=clip.context_length,
        text_weights_sha256=_sha256(weights),
    )


def image_fingerprint(
    clip: Any, architecture: Mapping, dtype: torch.dtype
) -> dict[str, Any]:
    """Fingerprint the image tower of an open_clip model.

    Args:
        clip (nn.Module): The model.
        architecture (Mapping): open_clip's config of it.
        dtype (torch.dtype): Precision in which it computes on an
            accelerator. Weights count as rounded to it, which makes the
            fingerprint the same on every machine.

    Returns:
        dict: Plain JSON.
    """
    preprocessing = clip.visual.preprocess_cfg
    weights = {
        # Back in float32, since NumPy knows no bfloat16.
        name: value.to(dtype).float()
        for name, value in clip.state_dict().items()
        if name.startswith('visual.')
    }
    return dict(
        image_architecture=_pick(architecture, ('vision_cfg', 'quick_gelu')),
        image_preprocessing={
            key: preprocessing[key] for key in ('size', 'mean', 'std')
        },
        image_weights_sha256=_sha256(weights),
    )


def _pick(architecture: Mapping, parts: Sequence[str]) -> dict[str, Any]:
    return {part: architecture[part] for part in parts if part in architecture}


def _sha256(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()
