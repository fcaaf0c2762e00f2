"""Grids of pictures, and figures that are saved whole or not at all."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .atomic_files import atomic_file

# A picture, (H, W, 3) uint8 RGB or None for a blank, and the text below it.
Cell = tuple[np.ndarray | None, str]

# In pixels. Powers of two per inch are converted without rounding.
_DPI = 128
GAP = 6  # between cells
LINE = 16  # height of a line of text
_FONT = 11.5
_LETTER = 6.6  # mean width of a letter of that font
SMALLEST = 160  # side of a cell, so that there is room for text
# Axes that are wider than whole pixels by a rounding error blur a picture.
_INSET = 1e-3


def picture_grid(
    titles: Sequence[str], rows: Sequence[Sequence[Cell]]
) -> Figure:
    """Lay out pictures in rows and columns.

    Pictures are enlarged by whole numbers, so that pixels stay squares, to
    at least 160 pixels; those of other sizes than the largest are fitted to
    it. A caption extends below the cells to its right that have none.

    Args:
        titles (Sequence[str]): Titles of the columns.
        rows (Sequence[Sequence[Cell]]): For each row one cell per column.

    Returns:
        Figure: The grid, of as many pixels as it needs.
    """
    pictures = [cell[0] for row in rows for cell in row]
    shapes = [picture.shape[:2] for picture in pictures if picture is not None]
    height, width = np.max([*shapes, (1, 1)], axis=0)
    zoom = -(-SMALLEST // max(height, width))
    height, width = int(zoom * height), int(zoom * width)
    above = [_wrap(title, width) for title in titles]
    below = [
        _wrap(text, width + (width + GAP) * _blanks_after(row, column))
        for row in rows
        for column, (_, text) in enumerate(row)
    ]
    head = GAP + LINE * max(map(_count_lines, above))
    foot = GAP + LINE * max(map(_count_lines, below))
    total_width = len(titles) * (width + GAP) + GAP
    total_height = head + len(rows) * (height + foot)
    figure = Figure((total_width / _DPI, total_height / _DPI), dpi=_DPI)
    axes = figure.subplots(
        len(rows),
        len(titles),
        squeeze=False,
        gridspec_kw=dict(
            left=(GAP + _INSET) / total_width,
            right=1 - (GAP + _INSET) / total_width,
            bottom=(foot + _INSET) / total_height,
            top=1 - (head + _INSET) / total_height,
            wspace=(GAP + 2 * _INSET) / (width - 2 * _INSET),
            hspace=(foot + 2 * _INSET) / (height - 2 * _INSET),
        ),
    )
    # Names of files may hold dollar signs.
    text_style = dict(fontsize=_FONT * 72 / _DPI, parse_math=False)
    for axis, title in zip(axes[0], above, strict=True):
        axis.text(0, -4, title, va='bottom', **text_style)
    for axis, picture, text in zip(axes.flat, pictures, below, strict=True):
        axis.set_axis_off()
        axis.text(0, height + 2, text, va='top', **text_style)
        if picture is not None:
            scale = min(np.divide((height, width), picture.shape[:2]))
            down, across = scale * picture.shape[0], scale * picture.shape[1]
            axis.imshow(
                picture,
                interpolation='nearest' if scale % 1 == 0 else 'antialiased',
                aspect='auto',
                extent=(0, across, down, 0),
            )
        axis.set(xlim=(0, width), ylim=(height, 0))  # in pixels
    return figure


def _blanks_after(row: Sequence[Cell], column: int) -> int:
    """Number of cells right of a column until the next one with a caption."""
    captions = [bool(text) for _, text in row[column + 1 :]]
    return [*captions, True].index(True)


def _wrap(text: str, width: int) -> str:
    letters = max(1, int(width / _LETTER))
    parts = [textwrap.wrap(part, letters) for part in text.splitlines()]
    return '\n'.join(line for part in parts for line in part)


def _count_lines(text: str) -> int:
    return len(text.splitlines())


def figure_pixels(figure: Figure) -> np.ndarray:
    """Render a figure to (H, W, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def save_figure(path: str | Path, figure: Figure) -> None:
    """Save a figure as PNG, or as JPEG by its suffix, whole or not at all.

    Args:
        path (str | Path): The file; missing folders are created.
        figure (Figure): The figure, which is saved at its own resolution.
    """
    jpeg = Path(path).suffix.lower() in ('.jpg', '.jpeg')
    with atomic_file(path, 'wb') as file:
        # Without the version of matplotlib, so that equal figures are equal
        # files.
        figure.savefig(
            file,
            format='jpeg' if jpeg else 'png',
            metadata=None if jpeg else dict(Software=None),
        )
