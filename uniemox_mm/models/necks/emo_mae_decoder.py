"""MAE's decoder, which also gives the cls embeddings alpha and beta."""

from mmpretrain.models import MAEPretrainDecoder
from mmpretrain.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class EmoMAEDecoder(MAEPretrainDecoder):
    """Decode the scene and embed the cls token of either stream.

    ``forward`` is MMPretrain's: it turns the scene's visible tokens into
    pixels, S' of eq. 1. :meth:`embed_cls` is the "linear layer" of Sec. III-B
    that gives alpha (scene) and beta (person), both in R^{N x C3}: the
    decoder's own input projection, so C3 = ``decoder_embed_dim``. Nothing
    reads the person's reconstruction, so its tokens never enter the blocks.

    All arguments are those of :class:`mmpretrain.models.MAEPretrainDecoder`.
    """

    @property
    def cls_channels(self) -> int:
        """C3, the width of alpha and beta."""
        return self.decoder_embed.out_features

    def embed_cls(self, latent: Tensor) -> Tensor:
        """Project the cls token of an encoded stream.

        Args:
            latent (Tensor): Encoder tokens, cls first, (N, L, C2).

        Returns:
            Tensor: alpha or beta, (N, C3).
        """
        return self.decoder_embed(latent[:, 0])

    def freeze_reconstruction(self) -> None:
        """Freeze all but the projection that gives alpha and beta.

        Without L1 nothing trains the decoder's blocks, and parameters that
        never get a gradient stall distributed training.
        """
        self.requires_grad_(False)
        self.decoder_embed.requires_grad_(True)
