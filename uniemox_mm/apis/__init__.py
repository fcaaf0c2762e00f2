"""What a person or a tool calls from Python."""

from .pretrained import load_pretrained, load_weights

__all__ = ['load_pretrained', 'load_weights']
