"""Conversion of an encoder or classifier to timm, for timm.create_model."""

import math
from typing import Any

import timm
import torch
from mmengine.model import BaseModel
from mmpretrain.models import BaseClassifier, VisionTransformer
from safetensors.torch import save
from torch import Tensor, nn

from uniemox_mm.weights.checked_loading import describe_keys, reshaped_keys
from uniemox_mm.weights.formats import ENCODER, HEADS, rename

# Width, depth and number of heads -> timm's name, and its patch size.
_KNOWN = {
    (192, 12, 3): ('tiny', 16),
    (384, 12, 6): ('small', 16),
    (768, 12, 12): ('base', 16),
    (1024, 24, 16): ('large', 16),
    (1280, 32, 16): ('huge', 14),
}
_EPS = 1e-6  # of timm's norms
_OURS = {
    **{ours: theirs for theirs, ours in ENCODER.items()},
    **{f'{head}.*': 'head.*' for head in HEADS},
}
_LEFT_OUT = ('neck.', 'fusion.')  # of pretraining


def to_timm(
    model: BaseModel, description: dict[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    """Convert a model to the two files of a folder that timm loads.

    ``timm.create_model('local-dir:FOLDER', pretrained=True)`` builds the
    model from it. Of pretraining the encoder is taken, with its last norm,
    for the class token; decoder and fusion have no place in timm.

    Raises:
        ValueError: timm has no such model.
    """
    classes = description['classes']
    architecture, arguments = timm_model(model, len(classes or ()))
    weights = _timm_weights(model, architecture, arguments)
    settings = dict(
        architecture=architecture,
        num_classes=arguments.pop('num_classes'),
        num_features=model.backbone.embed_dims,
        global_pool=arguments['global_pool'],
        model_args=arguments,
        pretrained_cfg=_pretrained_cfg(description),
        uniemox_mm=description,
    )
    if classes:
        settings['label_names'] = classes
    return save(weights, dict(format='pt')), settings


def timm_model(
    model: BaseModel, num_classes: int
) -> tuple[str, dict[str, Any]]:
    """Return the name and arguments of a model in ``timm.create_model``.

    Raises:
        ValueError: timm's ViT computes something else.
    """
    _check_parts(model)
    encoder = model.backbone
    width, depth = encoder.embed_dims, encoder.num_layers
    heads = encoder.arch_settings['num_heads']
    hidden = encoder.arch_settings['feedforward_channels']
    patch = encoder.patch_embed.projection.kernel_size[0]
    size = encoder.img_size[0]
    arguments: dict[str, Any] = dict(
        num_classes=num_classes,
        global_pool='avg' if encoder.out_type == 'avg_featmap' else 'token',
    )
    name, usual = _KNOWN.get((width, depth, heads), (None, None))
    if name and (hidden, patch, size) == (4 * width, usual, 224):
        return f'vit_{name}_patch{patch}_224', arguments
    return 'vit_base_patch16_224', dict(
        arguments,
        img_size=size,
        patch_size=patch,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        mlp_ratio=hidden / width,
    )


def _check_parts(model: BaseModel) -> None:
    """Refuse whatever timm's ViT would compute otherwise."""
    encoder = model.backbone
    if not isinstance(encoder, VisionTransformer):
        raise ValueError(
            f'{type(encoder).__name__} is not a ViT; expected '
            'VisionTransformer or DualStreamViT'
        )
    modules, depth = list(encoder.modules()), encoder.num_layers
    norms = {part.eps for part in modules if isinstance(part, nn.LayerNorm)}
    activations = [p.approximate for p in modules if isinstance(p, nn.GELU)]
    mean = encoder.out_type == 'avg_featmap'
    pre_norm = not isinstance(encoder.pre_norm, nn.Identity)
    last = [*encoder.out_indices] == [depth - 1]
    reasons = {
        'a neck': isinstance(model, BaseClassifier) and model.with_neck,
        f'norms with eps {sorted(norms)}': norms != {_EPS},
        'a norm before the blocks': pre_norm,
        'features of another block than the last': not last,
        f'features {encoder.out_type!r}': encoder.out_type == 'featmap',
        'norms both before and after the mean': mean and encoder.final_norm,
        'no last norm': not mean and not encoder.final_norm,
        'another activation than GELU by erf': activations != ['none'] * depth,
    }
    found = [reason for reason, there in reasons.items() if there]
    if found:
        raise ValueError(f"timm's ViT cannot have {', '.join(found)}")


def _timm_weights(
    model: BaseModel, architecture: str, arguments: dict[str, Any]
) -> dict[str, Tensor]:
    """Return the weights by timm's names, compared with timm's own model."""
    weights = {
        rename(ours, _OURS) or ours: value.contiguous().clone()
        for ours, value in model.state_dict().items()
        if not ours.startswith(_LEFT_OUT)
    }
    with torch.device('meta'):
        other = timm.create_model(architecture, **arguments)
    shapes = {key: value.shape for key, value in other.state_dict().items()}
    problems = describe_keys(
        [key for key in shapes if key not in weights],
        [key for key in weights if key not in shapes],
        reshaped_keys(weights, shapes),
    )
    if problems:
        raise ValueError(f"{problems}, compared with timm's {architecture}")
    return weights


def _pretrained_cfg(description: dict[str, Any]) -> dict[str, Any]:
    """Return the preprocessing in timm's terms."""
    images = description['preprocessing']
    if images['channels'] != 'RGB':
        raise ValueError('the model takes images in BGR, and timm gives RGB')
    size, resize = images['center_crop'], images['resize_short_edge']
    return dict(
        input_size=[3, size, size],
        fixed_input_size=True,
        interpolation=images['interpolation'],
        crop_pct=crop_fraction(size, resize) if resize else 1.0,
        crop_mode='center' if resize else 'squash',
        mean=images['mean'],
        std=images['std'],
        first_conv='patch_embed.proj',
        classifier='head',
        num_classes=len(description['classes'] or ()),
    )


def crop_fraction(size: int, resize: int) -> float:
    """Return the ``crop_pct`` from which timm computes ``resize`` again.

    timm divides ``size`` by it and rounds down, so that ``size / resize``
    would give a pixel less for some pairs.
    """
    fraction = size / resize
    if math.floor(size / fraction) < resize:
        fraction = math.nextafter(fraction, 0)
    return fraction
