"""Ratios of times that were measured in the same rounds."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from .forms import RAW
from .stages import BOTH, SCENE


class Spread(NamedTuple):
    """A number over the rounds."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> 'Spread':
        """Median, least and most of the values."""
        return cls(statistics.median(values), min(values), max(values))


class Times:
    """The times of all variants.

    Args:
        variants (Sequence[dict]): ``variants`` of :func:`measure_loader`'s
            result.
    """

    def __init__(self, variants: Sequence[dict]) -> None:
        self.seconds = {
            (row['form'], row['way'], row['views']): row['seconds']
            for row in variants
        }

    def rate(self, form: str, way: str, views: str) -> Spread:
        """Images a second."""
        return Spread.of([1 / s for s in self._whole(form, way, views)])

    def milliseconds(self, form: str, way: str, views: str) -> dict:
        """Step -> median of an image's time."""
        return {
            step: 1000 * statistics.median(seconds)
            for step, seconds in self.seconds[form, way, views].items()
        }

    def cost_of_two(self, form: str, way: str) -> Spread:
        """Time of both views over that of the scene alone, by rounds."""
        return self._ratio((form, way, BOTH), (form, way, SCENE))

    def over_raw(self, form: str, way: str) -> Spread:
        """Images a second over those of raw JPEGs, both views, by rounds."""
        return self._ratio((RAW, way, BOTH), (form, way, BOTH))

    def _ratio(self, above: tuple, below: tuple) -> Spread:
        pairs = zip(self._whole(*above), self._whole(*below), strict=True)
        return Spread.of([a / b for a, b in pairs])

    def _whole(self, form: str, way: str, views: str) -> list[float]:
        return self.seconds[form, way, views]['all']
