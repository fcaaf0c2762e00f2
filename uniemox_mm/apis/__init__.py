"""What a person or a tool calls from Python."""

from uniemox_mm.weights.weight_files import load_weights

from .pretrained import load_pretrained

__all__ = ['load_pretrained', 'load_weights']
