"""Weights of other projects: read safely, compared key by key, converted."""

from .conversion import convert_weights
from .conversion_report import ConversionReport
from .convert_checkpoint import convert_checkpoint

__all__ = ['ConversionReport', 'convert_checkpoint', 'convert_weights']
