"""Weights of other projects in, weights for other projects out."""

from .conversion import convert_weights
from .converted_files import convert_checkpoint
from .exporting import export_checkpoint
from .report import ConversionReport

__all__ = [
    'ConversionReport',
    'convert_checkpoint',
    'convert_weights',
    'export_checkpoint',
]
