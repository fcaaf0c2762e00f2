"""Weights for other projects."""

from .export_checkpoint import export_checkpoint

__all__ = ['export_checkpoint']
