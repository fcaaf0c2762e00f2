"""Weights of other projects: read safely, compared key by key, converted."""

from .convert_checkpoint import convert_checkpoint
from .convert_weights import ConversionReport, convert_weights

__all__ = ['ConversionReport', 'convert_checkpoint', 'convert_weights']
