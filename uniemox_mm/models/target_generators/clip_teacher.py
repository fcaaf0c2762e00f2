"""The frozen CLIP whose features the student is distilled from."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor

from .clip_model import build_clip
from .teacher_fingerprint import image_fingerprint, text_fingerprint

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@MODELS.register_module()
class CLIPTeacher(BaseModule):
    """An open_clip model that gives Omega and Lambda of UniEmoX, eq. 5-8.

    The CLIP model is held outside the module tree: it has no parameters as
    far as optimizers, checkpoints, weight initialization, weight decay and
    distributed wrappers are concerned, is always in eval mode, and follows
    the module from device to device.

    Args:
        model (str): An open_clip model name. OpenAI's weights need a
            ``-quickgelu`` model. Defaults to 'ViT-B-16-quickgelu'.
        pretrained (str, optional): A pretrained tag of open_clip, which is
            downloaded, or the path of a local file: weights, or OpenAI's own
            TorchScript archive. None gives random weights, the same for the
            same ``seed``: for tests and demonstrations. Defaults to
            'openai'.
        model_cfg (dict, optional): Replaces entries of open_clip's model
            config, such as ``embed_dim``, ``vision_cfg``, ``text_cfg``.
        mean (Sequence[float]): Mean that the student's pixels were normalised
            with, RGB, 0 to 255. Defaults to ImageNet's.
        std (Sequence[float]): The same for the standard deviation.
        dtype (str): Precision of the image tower, weights and all, on an
            accelerator: 'float16', 'bfloat16' or 'float32'. On a CPU it is
            float32, and so is the text tower everywhere, whose features are
            computed once and must not depend on the machine. Defaults to
            'float16', in which OpenAI trained CLIP.
        seed (int): Seed of the random weights of ``pretrained=None``.
        cache_dir (str, optional): Where open_clip keeps its downloads.

    Raises:
        RuntimeError: The weights are neither a tag that can be downloaded
            nor a readable file.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        model: str = 'ViT-B-16-quickgelu',
        pretrained: str | None = 'openai',
        model_cfg: dict | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        dtype: str = 'float16',
        seed: int = 0,
        cache_dir: str | None = None,
    ) -> None:
        super().__init__()
        self.model_name = model
        self.pretrained = pretrained
        self.model_cfg = dict(model_cfg or {})
        self.dtype = getattr(torch, dtype)
        self.student_norm = (tuple(mean), tuple(std))
        # A list keeps the model out of nn.Module's registration.
        self._hidden = [
            build_clip(model, pretrained, self.model_cfg, seed, cache_dir)
        ]
        self._tokenizer: Callable | None = None
        self._register_renormalisation(mean, std)

    @property
    def clip(self) -> Any:
        """The open_clip model."""
        return self._hidden[0]

    @property
    def embed_dim(self) -> int:
        """C3, the width of the joint embedding space."""
        known = self._architecture()
        return known.get('embed_dim') or self.clip.visual.output_dim

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the teacher's input."""
        size = self.clip.visual.preprocess_cfg['size']
        return (size, size) if isinstance(size, int) else tuple(size)

    def forward(
        self, images: Tensor, texts: Tensor | list[str] | None
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the targets of a batch.

        Args:
            images (Tensor): The student's normalised pixels, (N, 3, H, W), or
                features Omega computed before, (N, C3).
            texts (Tensor | list[str], optional): N captions, or their
                features Lambda computed before, (N, C3).

        Returns:
            tuple[Tensor, Tensor | None]: Omega (N, C3) and Lambda (N, C3),
            float32, not normalised; Lambda is None where ``texts`` is.
        """
        known = images.dim() == 2
        omega = self._known(images) if known else self.encode_image(images)
        if texts is None:
            return omega, None
        if isinstance(texts, Tensor):
            return omega, self._known(texts)
        return omega, self.encode_text(texts)

    def encode_image(self, images: Tensor) -> Tensor:
        """Omega of the student's normalised pixels, (N, 3, H, W) -> (N, C3).

        CLIP's global embedding, before L2 normalisation, float32.
        """
        device = images.device.type
        with torch.inference_mode(), torch.autocast(device, enabled=False):
            images = self.renormalise(images)
            images = images.to(self._image_dtype(images.device))
            omega = self.clip.encode_image(images)
        # A copy made out here may be used in a graph of gradients.
        return omega.to(torch.float32, copy=True)

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str]) -> Tensor:
        """Lambda of N captions, (N, C3), before L2 normalisation, float32."""
        tokens = self.tokenize(captions)
        with torch.autocast(tokens.device.type, enabled=False):
            return self.clip.encode_text(tokens).float()

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """Tokens of N captions, (N, context length), on the device."""
        if self._tokenizer is None:
            self._tokenizer = open_clip.get_tokenizer(self.model_name)
        tokens = self._tokenizer(
            list(captions), context_length=self.clip.context_length
        )
        return tokens.to(self.scale.device)

    def renormalise(self, images: Tensor) -> Tensor:
        """Convert the student's pixels to the teacher's.

        Undoes the student's mean and std, applies the teacher's, and resizes
        (bicubic, antialiased) where the teacher expects another size.

        Args:
            images (Tensor): (N, 3, H, W), normalised for the student.

        Returns:
            Tensor: (N, 3, H', W'), normalised for the teacher, float32.
        """
        images = images.float() * self.scale + self.shift
        if images.shape[-2:] != self.input_size:
            images = F.interpolate(
                images, self.input_size, mode='bicubic', antialias=True
            )
        return images

    def text_fingerprint(self) -> dict[str, Any]:
        """Fingerprint of the text features, to detect stale caches."""
        return dict(
            model=self.model_name,
            embed_dim=self.embed_dim,
            **text_fingerprint(self.clip, self._architecture()),
        )

    def image_fingerprint(self) -> dict[str, Any]:
        """Fingerprint of the image features, to detect stale caches."""
        return dict(
            model=self.model_name,
            embed_dim=self.embed_dim,
            **image_fingerprint(self.clip, self._architecture(), self.dtype),
        )

    def init_weights(self) -> None:
        """Keep the loaded weights; warn if they are random."""
        if self.pretrained is None:
            print_log(
                f'CLIPTeacher {self.model_name} has random weights '
                '(pretrained=None): its targets carry no knowledge',
                logger='current',
            )

    def train(self, mode: bool = True) -> 'CLIPTeacher':
        """Stay in eval mode."""
        return super().train(False)

    def _apply(self, fn: Callable, recurse: bool = True) -> 'CLIPTeacher':
        """Follow the model to other devices at its own precision.

        ``model.half()`` and the like are for the student.
        """
        device = fn(self.scale).device
        move = fn if self.scale.is_meta else partial(Tensor.to, device=device)
        self.scale, self.shift = move(self.scale), move(self.shift)
        self.clip._apply(move)
        # Half the memory, and no conversion of the weights in every step.
        self.clip.visual.to(self._image_dtype(device))
        return self

    def _image_dtype(self, device: torch.device) -> torch.dtype:
        return torch.float32 if device.type in ('cpu', 'meta') else self.dtype

    def _known(self, features: Tensor) -> Tensor:
        """Move cached features to the teacher's device."""
        device = self.scale.device
        if device.type == 'cuda' and not features.is_cuda:
            features = features.pin_memory()  # or the host would wait
        # Two steps, since a conversion on the way would not be pinned.
        return features.to(device, non_blocking=True).to(torch.float32)

    def _architecture(self) -> dict[str, Any]:
        """open_clip's config of the model, if there is one."""
        known = open_clip.get_model_config(self.model_name) or {}
        return {**known, **self.model_cfg}

    def _register_renormalisation(
        self, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        cfg = self.clip.visual.preprocess_cfg
        own_mean = 255 * torch.tensor(cfg['mean'])
        own_std = 255 * torch.tensor(cfg['std'])
        scale = torch.tensor(std) / own_std
        shift = (torch.tensor(mean) - own_mean) / own_std
        self.register_buffer('scale', scale.view(3, 1, 1), persistent=False)
        self.register_buffer('shift', shift.view(3, 1, 1), persistent=False)
