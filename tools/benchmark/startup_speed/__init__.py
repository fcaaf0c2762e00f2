"""How long a training takes to its first step, and what memory it holds."""

from .measuring import measure_startup
from .report import markdown
from .rows import write_rows

__all__ = ['markdown', 'measure_startup', 'write_rows']
