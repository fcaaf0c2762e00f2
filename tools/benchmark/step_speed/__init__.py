"""How fast training steps are, in several arrangements side by side."""

from .arrangements import ARRANGEMENTS
from .measuring import measure_steps
from .report import markdown

__all__ = ['ARRANGEMENTS', 'markdown', 'measure_steps']
