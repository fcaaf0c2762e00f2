"""Implementations of the same training step, built to be compared."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from uniemox_mm.engine.launch import use_amp
from uniemox_mm.models import EmoMAE
from uniemox_mm.models.detectors.load_detector import (
    import_mmdet,
    set_thresholds,
)
from uniemox_mm.models.detectors.mmdet_zoo import find_in_zoo
from uniemox_mm.models.detectors.person_detector import DEFAULT
from uniemox_mm.models.transformer_layers import (
    checkpoint_layers,
    compile_layers,
)

VARIANTS = {
    'ours': 'this project: one encoder call, cached text features',
    'compiled': 'ours, with compiled layers',
    'checkpointed': 'ours, with activation checkpointing (less memory)',
    'cached': 'ours, with cached image features of the teacher',
    'reference': "the authors' implementation",
    'scene': 'ours without person and distillation',
    'mae': "MMPretrain's MAE, for which `scene` is this project's",
}
DETECTOR_SIZE = 416  # pixels, square
CONFIDENCE, IOU_THRESHOLD = 0.8, 0.4
_WORDS = ('beach', 'dog', 'angry person', 'forest', 'city', 'red ball')


@dataclass
class Variant:
    """A model with its optimizer and the batch that it trains on.

    Attributes:
        name (str): A key of ``VARIANTS``.
        model (BaseModel): On the device, in training mode.
        optim_wrapper (OptimWrapper): Its optimizer.
        batch (dict): As the data loader yields it.
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
        """Run one training step, from pixels on the host to new weights."""
        # A copy: algorithms may write into it.
        return self.model.train_step(dict(self.batch), self.optim_wrapper)

    def own_bytes(self) -> int:
        """Return the memory of weights, buffers and optimizer, which stays."""
        clip = getattr(
            getattr(self.model, 'target_generator', None), 'clip', None
        )
        modules = [self.model, clip, getattr(self.model, 'detector', None)]
        tensors = [
            tensor
            for module in modules
            if module is not None
            for tensor in (*module.parameters(), *module.buffers())
        ]
        for state in self.optim_wrapper.optimizer.state.values():
            tensors += [v for v in state.values() if isinstance(v, Tensor)]
        return sum(t.numel() * t.element_size() for t in tensors)


def build_variants(
    cfg: Config,
    names: Sequence[str],
    batch_size: int,
    device: torch.device,
    precision: str | None = None,
) -> list[Variant]:
    """Build several variants with the same weights.

    Args:
        cfg (Config): A training config. All variants but 'ours' need one of
            ``EmoMAE``.
        names (Sequence[str]): Keys of ``VARIANTS``.
        batch_size (int): N.
        device (torch.device): Where to train.
        precision (str, optional): 'float32' computes all in it. By default
            the config's on a GPU, but float16 in the reference, and float32
            on a CPU.

    Returns:
        list[Variant]: In the order of ``names``.

    Raises:
        ValueError: The config has no such variant, or is for DeepSpeed.
    """
    settings = copy.deepcopy(cfg.model)
    # Random weights are as fast as trained ones.
    if settings.get('target_generator'):
        settings.target_generator.pretrained = None
    settings.backbone.pop('init_cfg', None)
    torch.manual_seed(0)
    ours: Any = MODELS.build(settings)
    size = getattr(ours.backbone, 'img_size', 224)
    size = size if isinstance(size, int) else size[0]
    if not isinstance(ours, EmoMAE):
        if list(names) != ['ours']:
            raise ValueError(
                f'{cfg.filename}: its model is {type(ours).__name__}, but the '
                "variants 'compiled' to 'mae' need EmoMAE. Give --variants "
                'ours'
            )
        samples = [
            DataSample().set_gt_label(i % ours.head.num_classes)
            for i in range(batch_size)
        ]
        batch = dict(
            inputs=_pixels(batch_size, size, 0, device), data_samples=samples
        )
        return [_with_optimizer('ours', ours, batch, cfg, device, precision)]
    ours.init_weights()
    ours = ours.to(device)
    batch = _pretraining_batch(ours, batch_size, size, device)
    return [
        _with_optimizer(
            name,
            _build_model(name, settings, ours),
            variant_batch(name, batch, device),
            cfg,
            device,
            precision,
        )
        for name in names
    ]


def _build_model(name: str, settings: ConfigDict, ours: Any) -> Any:
    """Build the model of a variant with the weights of ``ours``."""
    changed = copy.deepcopy(settings)
    if name == 'reference':
        missing = [
            part
            for part in ('head', 'fusion', 'distill')
            if not settings[part]
        ]
        if missing:
            raise ValueError(
                "the variant 'reference' needs all parts, but the config has "
                f'no {" and no ".join(missing)}'
            )
        changed.pop('type')
        model = ReferenceEmoMAE(**changed)
    elif name == 'mae':
        pixels = settings.data_preprocessor
        changed = dict(
            type='MAE',
            data_preprocessor={
                key: pixels[key] for key in ('mean', 'std', 'to_rgb')
            },
            backbone={**settings.backbone, 'type': 'MAEViT'},
            neck={**settings.neck, 'type': 'MAEPretrainDecoder'},
            head=settings.head,
        )
        model = MODELS.build(changed)
    else:
        if name == 'scene':
            changed.update(fusion=None, distill=None, target_generator=None)
        model = MODELS.build(changed)
    if getattr(model, 'target_generator', None) is not None:
        model.target_generator = ours.target_generator  # saves memory
    weights = ours.state_dict()
    model.load_state_dict({key: weights[key] for key in model.state_dict()})
    if name == 'compiled':
        compile_layers(model)
    elif name == 'checkpointed':
        checkpoint_layers(model)
    return model


def _with_optimizer(
    name: str,
    model: Any,
    batch: dict,
    cfg: Config,
    device: torch.device,
    precision: str | None,
) -> Variant:
    model = model.to(device).train()
    wrapper: Any = copy.deepcopy(cfg.optim_wrapper)
    if wrapper.get('type') == 'DeepSpeedOptimWrapper':
        raise ValueError(
            f'{cfg.filename}: DeepSpeed cannot be measured; give the same '
            'config without it, such as configs/uniemox_vit-l_pretrain.py'
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
    return Variant(
        name,
        model,
        build_optim_wrapper(model, wrapper),
        batch,
        wrapper.get('dtype', 'float16') if half else 'float32',
    )


def _pretraining_batch(
    model: EmoMAE, batch_size: int, size: int, device: torch.device
) -> dict:
    """A batch as the data loader yields it, of random pixels.

    ``inputs`` are scene and person, uint8 (N, 3, size, size) each;
    ``data_samples`` have ``caption``, ``text_feature`` if the loss reads it,
    and an ``image_feature`` that only 'cached' keeps.
    """
    captions = [
        f'A photo of a {_WORDS[i % len(_WORDS)]}, number {i}'
        for i in range(batch_size)
    ]
    texts = [None] * batch_size
    if model.distill is not None and model.distill.needs_text:
        texts = model.target_generator.encode_text(captions).cpu().numpy()
    samples = []
    for caption, text in zip(captions, texts, strict=True):
        samples.append(DataSample())
        samples[-1].set_field(caption, 'caption')
        if text is not None:
            samples[-1].set_field(text, 'text_feature')
    if model.target_generator is not None:
        rng = np.random.default_rng(2)
        channels = model.target_generator.embed_dim
        for sample in samples:
            feature = rng.standard_normal(channels).astype(np.float16)
            sample.set_field(feature, 'image_feature')
    views = [_pixels(batch_size, size, seed, device) for seed in (0, 1)]
    return dict(inputs=views, data_samples=samples)


def variant_batch(name: str, batch: dict, device: torch.device) -> dict:
    """Return the parts of a batch that a variant reads.

    Args:
        name (str): A key of ``VARIANTS``.
        batch (dict): With all fields of ``data_samples``.
        device (torch.device): Where the step is computed.
    """
    inputs, fields = batch['inputs'], {'caption', 'text_feature'}
    if name == 'cached':
        fields.add('image_feature')
    elif name == 'reference':
        count = len(batch['data_samples'])
        whole = _pixels(count, DETECTOR_SIZE, 3, device)  # for the detector
        inputs, fields = [*inputs, whole], {'caption'}
    elif name in ('scene', 'mae'):
        inputs, fields = inputs[0], set()
    samples = []
    for sample in batch['data_samples']:
        samples.append(DataSample())
        for field in fields & set(sample.keys()):
            samples[-1].set_field(sample.get(field), field)
    return dict(inputs=inputs, data_samples=samples)


def _pixels(count: int, size: int, seed: int, device: torch.device) -> Tensor:
    """Random pixels, (count, 3, size, size) uint8, on the host."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 3, size, size)
    views = torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=generator
    )
    return views.pin_memory() if device.type == 'cuda' else views


def plain_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
) -> Tensor:
    """Compute softmax(q k^T / sqrt(d) + mask) v, one operation at a time.

    Products are in the precision of autocast, as in code that was written
    before attention was fused. (PyTorch's MATH backend computes them in
    float32 whatever autocast says, which takes longer.)

    Args:
        query (Tensor): (..., L, d).
        key (Tensor): (..., L, d).
        value (Tensor): (..., L, d).
        attn_mask (Tensor, optional): Added to the products, (L, L).
        dropout_p (float): Of the weights. Defaults to 0.
        is_causal (bool): Must be False; a mask says the same.

    Returns:
        Tensor: (..., L, d).
    """
    assert not is_causal
    products = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if attn_mask is not None:
        products = products + attn_mask
    return F.dropout(products.softmax(dim=-1), dropout_p) @ value


class ReferenceEmoMAE(EmoMAE):
    """UniEmoX in the authors' order of work; the losses are the same.

    In every step YOLOv3 looks for people in the images, CLIP encodes the
    captions, the encoder is called on the scene and then on the person, the
    whole decoder runs on both, and what it makes of the person is thrown
    away. Attention is not fused. Images come to the detector at its own
    size; it finds nobody in them, and cutting people out is not counted.

    Args:
        **kwargs: Those of :class:`EmoMAE`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._detector = [build_detector()]  # in a list: not to be trained
        for module in self.modules():
            if hasattr(module, 'scaled_dot_product_attention'):  # MMPretrain's
                module.scaled_dot_product_attention = plain_attention

    @property
    def detector(self) -> Any:
        """YOLOv3."""
        return self._detector[0]

    def train_step(self, data: dict, optim_wrapper: Any) -> dict[str, Tensor]:
        """Run a step with attention that is not fused."""
        # CLIP, which other variants share, calls it by this name.
        with patch.object(F, 'scaled_dot_product_attention', plain_attention):
            return super().train_step(data, optim_wrapper)

    def loss(
        self, inputs: Any, data_samples: list, **kwargs
    ) -> dict[str, Tensor]:
        """Compute L1, L2 and L3 of a batch.

        Args:
            inputs (list[Tensor]): Normalised pixels of scene, person, and of
                the whole images for the detector, (N, 3, 416, 416), which
                may be left out.
            data_samples (list[DataSample]): N samples with a ``caption``.
            **kwargs: Ignored.

        Returns:
            dict[str, Tensor]: As of :class:`EmoMAE`.
        """
        scene, person, *whole = inputs
        for images in whole:
            self.find_people(images)
        latent, mask, ids_restore = self.backbone(scene)
        pred = self.neck(latent, ids_restore)
        person_latent, _, person_ids = self.backbone(person)
        self.neck(person_latent, person_ids)  # thrown away
        upsilon = self.fusion(
            self.neck.embed_cls(latent), self.neck.embed_cls(person_latent)
        )
        omega, _ = self.target_generator(scene, None)
        lambda_ = self._encode_captions(data_samples)
        return dict(
            loss_rec=self.head.loss(pred, scene, mask),
            **self.distill(upsilon, omega, lambda_),
        )

    @torch.no_grad()
    def _encode_captions(self, data_samples: list) -> Tensor:
        """Lambda (N, C3), in the precision of the step, unlike ours."""
        teacher = self.target_generator
        tokens = teacher.tokenize([sample.caption for sample in data_samples])
        return teacher.clip.encode_text(tokens)

    @torch.no_grad()
    def find_people(self, images: Tensor) -> list:
        """Run the detector on images, (N, 3, H, W)."""
        from mmdet.structures import DetDataSample

        size = tuple(images.shape[-2:])
        metainfo = dict(
            img_shape=size,
            ori_shape=size,
            batch_input_shape=size,
            scale_factor=(1.0, 1.0),
        )
        samples = [DetDataSample(metainfo=metainfo) for _ in images]
        return self.detector.predict(images, samples, rescale=False)

    def _apply(self, fn, recurse: bool = True) -> 'ReferenceEmoMAE':
        self.detector._apply(fn)
        return super()._apply(fn, recurse)


@torch.no_grad()
def build_detector() -> nn.Module:
    """Build MMDetection's YOLOv3 with random weights, which finds nobody.

    A trained network keeps one or two boxes of an image; random weights keep
    thousands until MMDetection's loop over the images sorts them out, which
    would take longer than the authors waited. So the confidence of every
    anchor is sigmoid(-10).
    """
    import_mmdet()
    from mmdet.registry import MODELS

    found = find_in_zoo(DEFAULT)
    assert found is not None
    with DefaultScope.overwrite_default_scope('mmdet'):
        settings = Config.fromfile(found[0]).model
        settings.backbone.init_cfg = None  # would be downloaded
        detector = MODELS.build(settings)
    set_thresholds(detector, CONFIDENCE, IOU_THRESHOLD)
    head = detector.bbox_head
    for layer in head.convs_pred:
        weight = layer.weight.unflatten(0, (-1, head.num_attrib))
        weight[:, 4] = 0.0
        layer.bias.unflatten(0, (-1, head.num_attrib))[:, 4] = -10.0
    return detector.eval().requires_grad_(False)


class GivenNoise(TorchFunctionMode):
    """Return given rows when a model draws uniform noise.

    The masks follow from the noise, so models that draw it in one piece or
    in several get the same masks on any device.

    Args:
        noise (Tensor): Rows in [0, 1), (M, L).
    """

    def __init__(self, noise: Tensor) -> None:
        super().__init__()
        self.noise = noise

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not torch.rand:
            return func(*args, **(kwargs or {}))
        rows, self.noise = self.noise.split(
            [args[0], len(self.noise) - args[0]]
        )
        return rows.clone()


@torch.no_grad()
def loss_differences(first: Variant, second: Variant) -> dict[str, float]:
    """Compare the losses on the same weights, masks and images in float32.

    The second gets the weights of the first, and back its own.

    Args:
        first (Variant): Of :class:`EmoMAE`.
        second (Variant): The same.

    Returns:
        dict[str, float]: Absolute differences by loss.
    """
    shape = 2 * first.images, first.model.backbone.num_patches
    device = next(first.model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(shape, generator=generator).to(device)
    own = {k: v.clone() for k, v in second.model.state_dict().items()}
    second.model.load_state_dict(first.model.state_dict())
    losses = []
    try:
        for variant in (first, second):
            data = variant.model.data_preprocessor(dict(variant.batch), True)
            with GivenNoise(noise):
                losses.append(variant.model.loss(**data))
    finally:
        second.model.load_state_dict(own)
    one, other = losses
    return {key: abs(one[key] - other[key]).item() for key in one}
