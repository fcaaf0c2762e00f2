"""One encoder on all datasets that are there, beside the paper."""

from .comparison import Comparison, compare

__all__ = ['Comparison', 'compare']
