"""Ways of computing the same training step."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmpretrain.registry import MODELS
from torch import Tensor

from uniemox_mm.engine.launch import use_amp
from uniemox_mm.models import EmoMAE
from uniemox_mm.models.transformer_layers import (
    checkpoint_layers,
    compile_layers,
)

from .batches import (
    classification_batch,
    for_reference,
    pretraining_batch,
    scene_alone,
    with_image_features,
)
from .reference import ReferenceEmoMAE

ARRANGEMENTS = {
    'ours': 'this project: one encoder call, cached text features',
    'compiled': 'ours, with compiled layers',
    'checkpointed': 'ours, activations computed again (less memory)',
    'cached': 'ours, with cached image features of the teacher',
    'reference': "the authors' arrangement",
    'scene': 'ours without person and distillation',
    'mae': "MMPretrain's MAE, for which `scene` is this project's",
}


@dataclass
class Arrangement:
    """A model with its optimizer and the batch that it trains on.

    Attributes:
        name (str): A key of ``ARRANGEMENTS``.
        model (BaseModel): On the device, in training mode.
        optim_wrapper (OptimWrapper): Its optimizer.
        batch (dict): What the data loader would give.
        precision (str): 'float32', 'bfloat16' or 'float16'.
    """

    name: str
    model: Any
    optim_wrapper: OptimWrapper
    batch: dict
    precision: str

    @property
    def images(self) -> int:
        """N, the scenes in a batch."""
        return len(self.batch['data_samples'])

    def step(self) -> dict[str, Tensor]:
        """One training step, from pixels on the host to new weights."""
        # A copy of the list: algorithms may write into it.
        return self.model.train_step(dict(self.batch), self.optim_wrapper)

    def own_bytes(self) -> int:
        """Memory of weights, buffers and optimizer, which stays."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        hidden = [
            getattr(self.model, name, None)
            for name in ('target_generator', 'detector')
        ]
        for part in hidden:
            part = getattr(part, 'clip', part)
            if part is not None:
                tensors += [*part.parameters(), *part.buffers()]
        for state in self.optim_wrapper.optimizer.state.values():
            tensors += [v for v in state.values() if isinstance(v, Tensor)]
        return sum(t.numel() * t.element_size() for t in tensors)


def build_arrangements(
    cfg: Config,
    names: Sequence[str],
    batch_size: int,
    device: torch.device,
    precision: str | None = None,
) -> list[Arrangement]:
    """Builds several arrangements with the same weights.

    Args:
        cfg (Config): A training config. All arrangements but 'ours' need one
            of ``EmoMAE``.
        names (Sequence[str]): Keys of ``ARRANGEMENTS``.
        batch_size (int): N.
        device (torch.device): Where to train.
        precision (str, optional): 'float32' computes all in it. By default
            the config's on a GPU, but float16 in the reference arrangement,
            and float32 on a CPU.

    Returns:
        list[Arrangement]: In the order of ``names``.

    Raises:
        ValueError: The config has no such arrangement, or is for DeepSpeed.
    """
    settings = _offline(cfg.model)
    torch.manual_seed(0)
    ours: Any = MODELS.build(settings)
    if not isinstance(ours, EmoMAE):
        if list(names) != ['ours']:
            raise ValueError(
                f'{cfg.filename}: its model is {type(ours).__name__}; only '
                "EmoMAE has the arrangements 'compiled' to 'mae'. Give "
                '--arrangement ours'
            )
        size, classes = _image_size(ours), ours.head.num_classes
        batch = classification_batch(batch_size, size, classes, device)
        return [_assemble('ours', ours, batch, cfg, device, precision)]
    ours.init_weights()
    ours = ours.to(device)
    batch = pretraining_batch(ours, batch_size, _image_size(ours), device)
    found = []
    for name in names:
        model = _build(name, settings, ours)
        own = _batch(name, batch, ours, device)
        found.append(_assemble(name, model, own, cfg, device, precision))
    return found


def _build(name: str, settings: ConfigDict, ours: Any) -> Any:
    """A model of the arrangement with the weights of ``ours``."""
    changed = copy.deepcopy(settings)
    if name == 'reference':
        missing = [
            part
            for part in ('head', 'fusion', 'distill')
            if not settings[part]
        ]
        if missing:
            raise ValueError(
                'the reference arrangement needs all parts, but the config '
                f'has no {" and no ".join(missing)}'
            )
        changed.pop('type')
        model = ReferenceEmoMAE(**changed)
    elif name == 'mae':
        model = MODELS.build(stock_mae(changed))
    else:
        if name == 'scene':
            changed.update(fusion=None, distill=None, target_generator=None)
        model = MODELS.build(changed)
    if getattr(model, 'target_generator', None) is not None:
        model.target_generator = ours.target_generator  # saves memory
    known = model.state_dict().keys()
    weights = ours.state_dict()
    model.load_state_dict({key: weights[key] for key in known})
    if name == 'compiled':
        compile_layers(model)
    elif name == 'checkpointed':
        checkpoint_layers(model)
    return model


def stock_mae(settings: ConfigDict) -> dict:
    """MMPretrain's own MAE of the same size.

    Args:
        settings (ConfigDict): The ``model`` of a config of ``EmoMAE``.
    """
    pixels = settings.data_preprocessor
    return dict(
        type='MAE',
        data_preprocessor={
            key: pixels[key] for key in ('mean', 'std', 'to_rgb')
        },
        backbone={**settings.backbone, 'type': 'MAEViT'},
        neck={**settings.neck, 'type': 'MAEPretrainDecoder'},
        head=settings.head,
    )


def _batch(name: str, batch: dict, ours: Any, device: torch.device) -> dict:
    if name == 'reference':
        return for_reference(batch, device)
    if name == 'cached':
        return with_image_features(batch, ours.neck.cls_channels)
    return scene_alone(batch) if name in ('scene', 'mae') else batch


def _assemble(
    name: str,
    model: Any,
    batch: dict,
    cfg: Config,
    device: torch.device,
    precision: str | None,
) -> Arrangement:
    model = model.to(device).train()
    wrapper: Any = copy.deepcopy(cfg.optim_wrapper)
    if wrapper.get('type') == 'DeepSpeedOptimWrapper':
        raise ValueError(
            f'{cfg.filename}: steps by DeepSpeed are not measured; give the '
            'same config without it, such as configs/uniemox_vit-l_pretrain.py'
        )
    if device.type == 'cpu' or precision == 'float32':
        use_amp(wrapper, False)
    elif name == 'reference':
        wrapper.update(
            type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic'
        )
    if name == 'reference':
        wrapper.optimizer.pop('fused', None)
    half = wrapper.type == 'AmpOptimWrapper'
    return Arrangement(
        name,
        model,
        build_optim_wrapper(model, wrapper),
        batch,
        wrapper.get('dtype', 'float16') if half else 'float32',
    )


def _image_size(model: Any) -> int:
    size = getattr(model.backbone, 'img_size', 224)
    return size if isinstance(size, int) else size[0]


def _offline(settings: ConfigDict) -> ConfigDict:
    """The model's settings with random weights, as fast as trained ones."""
    settings = copy.deepcopy(settings)
    if settings.get('target_generator'):
        settings.target_generator.pretrained = None
    settings.backbone.pop('init_cfg', None)
    return settings
