"""An encoder or classifier in timm's names, ready for timm.create_model."""

import math
from pathlib import Path
from typing import Any

import timm
import torch
from mmpretrain.models import VisionTransformer
from safetensors.torch import save
from torch import Tensor, nn

from uniemox_mm.weights.checked_loading import describe_keys, reshaped_keys
from uniemox_mm.weights.formats import ENCODER, HEADS, KINDS, rename

from .description import describe, write_described
from .trained_model import TrainedModel

# timm's name of a width, depth and number of heads; and its patches.
_KNOWN = {
    (192, 12, 3): ('tiny', 16),
    (384, 12, 6): ('small', 16),
    (768, 12, 12): ('base', 16),
    (1024, 24, 16): ('large', 16),
    (1280, 32, 16): ('huge', 14),
}
TIMM_FILES = ('model.safetensors', 'config.json')
_EPS = 1e-6  # of timm's norms
_OURS = {
    **{ours: theirs for theirs, ours in ENCODER.items()},
    **{f'{head}.{kind}': f'head.{kind}' for head in HEADS for kind in KINDS},
}
# Parts of pretraining that an encoder alone does not have.
_LEFT_OUT = ('neck.', 'fusion.')


def export_timm(trained: TrainedModel, target: Path) -> list[Path]:
    """Writes a folder that timm loads.

    ``timm.create_model('local-dir:FOLDER', pretrained=True)`` builds the
    model from it; ``config.json`` and ``model.safetensors`` are as on the
    Hugging Face hub. Of pretraining the encoder is taken, with its last norm,
    for the class token; decoder and fusion have no place in timm.

    Args:
        trained (TrainedModel): What to export.
        target (Path): The folder.

    Returns:
        list[Path]: What was written.

    Raises:
        ValueError: timm has no such model.
    """
    architecture, arguments = timm_model(trained)
    weights = _timm_weights(trained, architecture, arguments)
    content = describe(trained, 'timm')
    settings = dict(
        architecture=architecture,
        num_classes=arguments.pop('num_classes'),
        num_features=trained.model.backbone.embed_dims,
        global_pool=arguments['global_pool'],
        model_args=arguments,
        pretrained_cfg=_pretrained_cfg(content),
        uniemox_mm=content,
    )
    if trained.classes:
        settings['label_names'] = list(trained.classes)
    files = target / TIMM_FILES[0], target / TIMM_FILES[1]
    saved = save(weights, dict(format='pt'))
    return write_described(trained, files, saved, settings)


def timm_model(trained: TrainedModel) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the model in ``timm.create_model``.

    Raises:
        ValueError: It has none.
    """
    _check_parts(trained)
    encoder = trained.model.backbone
    known = encoder.arch_settings
    width, depth, heads, hidden = (
        known[key]
        for key in (
            'embed_dims',
            'num_layers',
            'num_heads',
            'feedforward_channels',
        )
    )
    patch = encoder.patch_embed.projection.kernel_size[0]
    size = encoder.img_size[0]
    arguments: dict[str, Any] = dict(
        num_classes=len(trained.classes or ()),
        global_pool='avg' if encoder.out_type == 'avg_featmap' else 'token',
    )
    name, usual = _KNOWN.get((width, depth, heads), (None, None))
    if name and (hidden, patch, size) == (4 * width, usual, 224):
        return f'vit_{name}_patch{patch}_224', arguments
    sizes = dict(
        img_size=size,
        patch_size=patch,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        mlp_ratio=hidden / width,
    )
    return 'vit_base_patch16_224', arguments | sizes


def _check_parts(trained: TrainedModel) -> None:
    """Refuses what would change the numbers in timm's ViT."""
    encoder = trained.model.backbone
    if not isinstance(encoder, VisionTransformer):
        raise ValueError(
            f'{trained.path}: {type(encoder).__name__} is no ViT; expected '
            'VisionTransformer or DualStreamViT'
        )
    modules = list(encoder.modules())
    norms = {part.eps for part in modules if isinstance(part, nn.LayerNorm)}
    activations = [p.approximate for p in modules if isinstance(p, nn.GELU)]
    mean = encoder.out_type == 'avg_featmap'
    reasons = {
        'a neck': bool(trained.classes) and trained.model.with_neck,
        f'norms with eps {sorted(norms)}': norms != {_EPS},
        'a norm before the blocks': not isinstance(
            encoder.pre_norm, nn.Identity
        ),
        'features of another block than the last': (
            [*encoder.out_indices] != [encoder.num_layers - 1]
        ),
        f'features {encoder.out_type!r}': encoder.out_type == 'featmap',
        'norms both before and after the mean': mean and encoder.final_norm,
        'no last norm': not mean and not encoder.final_norm,
        'another activation than GELU by erf': (
            activations != ['none'] * encoder.num_layers
        ),
    }
    found = [reason for reason, there in reasons.items() if there]
    if found:
        raise ValueError(
            f"{trained.path}: timm's ViT cannot have {', '.join(found)}"
        )


def _timm_weights(
    trained: TrainedModel, architecture: str, arguments: dict[str, Any]
) -> dict[str, Tensor]:
    """The weights by timm's names, compared with timm's own model."""
    names = {ours: rename(ours, _OURS) for ours in trained.weights}
    weights = {
        theirs: trained.weights[ours].contiguous().clone()
        for ours, theirs in names.items()
        if theirs
    }
    foreign = [
        ours
        for ours, theirs in names.items()
        if not theirs and not ours.startswith(_LEFT_OUT)
    ]
    with torch.device('meta'):
        model = timm.create_model(architecture, **arguments)
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    problems = describe_keys(
        [key for key in shapes if key not in weights],
        [*foreign, *(key for key in weights if key not in shapes)],
        reshaped_keys(weights, shapes),
    )
    if problems:
        raise ValueError(
            f"{trained.path}: keys {problems}, compared with timm's "
            f'{architecture}'
        )
    return weights


def _pretrained_cfg(content: dict[str, Any]) -> dict[str, Any]:
    """The preprocessing in timm's words."""
    images = content['preprocessing']
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
        num_classes=len(content['classes'] or ()),
    )


def crop_fraction(size: int, resize: int) -> float:
    """The ``crop_pct`` of which timm makes ``resize`` pixels again.

    timm divides by it and rounds down, which for some pairs would be a pixel
    less.

    Args:
        size (int): Of the crop, in pixels.
        resize (int): Of the short edge before it.

    Returns:
        float: ``size / resize``, or the next number below it.
    """
    fraction = size / resize
    if math.floor(size / fraction) < resize:
        fraction = math.nextafter(fraction, 0)
    return fraction
