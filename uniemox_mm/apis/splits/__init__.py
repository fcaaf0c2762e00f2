"""Split files for downloads that are shipped without them."""

from .made_splits import MadeSplits, make_splits

__all__ = ['MadeSplits', 'make_splits']
