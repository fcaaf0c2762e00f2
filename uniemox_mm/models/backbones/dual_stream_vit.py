"""One masked ViT that encodes the scene and the person in a single call."""

import torch
from mmpretrain.models import MAEViT
from mmpretrain.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class DualStreamViT(MAEViT):
    """MMPretrain's :class:`MAEViT` over two streams with shared weights.

    Sec. III-B of UniEmoX sends the scene I and the person B through the same
    ViT. Both are concatenated along the batch, so the encoder runs once on 2N
    images instead of twice on N.

    All arguments are those of :class:`mmpretrain.models.MAEViT`; with one
    image argument it behaves as a plain ``MAEViT`` and can replace it in any
    config.

    Example:
        >>> import torch
        >>> from uniemox_mm.models import DualStreamViT
        >>> arch = dict(embed_dims=32, num_layers=2, num_heads=4,
        ...             feedforward_channels=64)
        >>> vit = DualStreamViT(arch, img_size=32, patch_size=8)
        >>> x = torch.rand(2, 3, 32, 32)
        >>> (scene, mask, ids_restore), (person, _, _) = vit(x, x)
        >>> tuple(scene.shape), tuple(mask.shape), tuple(person.shape)
        ((2, 5, 32), (2, 16), (2, 5, 32))
    """

    def forward(
        self,
        scene: Tensor,
        person: Tensor | None = None,
        mask: bool | None = True,
    ) -> tuple:
        """Encode one or two streams.

        Args:
            scene (Tensor): Normalised scene pixels, (N, 3, H, W).
            person (Tensor, optional): Normalised person pixels of the same
                shape. Defaults to None, which encodes ``scene`` alone.
            mask (bool, optional): Whether to drop ``mask_ratio`` of the
                patches of each image at random. ``None`` and ``False`` both
                encode the whole image. Defaults to True.

        Returns:
            tuple: With ``person=None`` what ``MAEViT`` returns: masked,
            ``(latent (N, 1 + visible, C), mask (N, L) with 1 = removed,
            ids_restore (N, L))``; not masked, a tuple of features by
            ``out_indices``. With ``person`` a pair of such tuples, the
            scene's and the person's.

        Raises:
            TypeError: ``person`` is neither a tensor nor None.
            ValueError: The two streams differ in shape.
        """
        mask = True if mask else None  # MAEViT takes False for True
        if person is None:
            return super().forward(scene, mask=mask)
        if not isinstance(person, Tensor):
            raise TypeError(
                'the second positional argument of DualStreamViT is the '
                f'person stream, a tensor, but got {person!r}; pass the mask '
                'switch by name (mask=...)'
            )
        if scene.shape != person.shape:
            raise ValueError(
                'scene and person must have the same shape, but got '
                f'{tuple(scene.shape)} and {tuple(person.shape)}'
            )
        both = super().forward(torch.cat([scene, person]), mask=mask)  # 2N
        scene_out, person_out = zip(
            *(out.chunk(2) for out in both), strict=True
        )
        return scene_out, person_out
