"""Weights for other projects."""

from .exporting import export_checkpoint

__all__ = ['export_checkpoint']
