"""How many images a second the data pipeline of a config gives."""

from .benchmark import measure_loader
from .tables import markdown

__all__ = ['markdown', 'measure_loader']
