from .dual_stream_vit import DualStreamViT

__all__ = ['DualStreamViT']
