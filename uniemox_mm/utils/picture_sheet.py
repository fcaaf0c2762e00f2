"""Pictures in rows and columns, with titles and captions."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .atomic_files import atomic_file

GAP = 6  # pixels between cells
LINE = 15  # height of a line of text
_FONT_SIZE = 12
_LETTER = 6.6  # mean width of a letter of that font
_SMALLEST = 160  # side of a cell, so that there is room for words

# A picture, (H, W, 3) uint8 RGB, and what stands below it.
Cell = tuple[np.ndarray, str]


def draw_sheet(
    titles: Sequence[str], rows: Sequence[Sequence[Cell]]
) -> Image.Image:
    """Lays out pictures of any sizes.

    Pictures are enlarged by whole numbers, so that pixels stay squares, to
    at least 160 pixels; those of other sizes than the largest are fitted to
    it.

    Args:
        titles (Sequence[str]): Of the columns.
        rows (Sequence[Sequence[Cell]]): For each row a cell a column.

    Returns:
        Image.Image: The sheet, RGB.

    Raises:
        ValueError: There is nothing to draw, or a row has another number of
            cells than there are titles.
    """
    if not rows or any(len(row) != len(titles) for row in rows):
        raise ValueError(
            f'expected rows of {len(titles)} cells, but got '
            f'{[len(row) for row in rows]}'
        )
    height, width = (
        max(picture.shape[side] for row in rows for picture, _ in row)
        for side in (0, 1)
    )
    zoom = -(-_SMALLEST // max(height, width))
    height, width = zoom * height, zoom * width
    above = [_wrap(title, width) for title in titles]
    below = [[_wrap(caption, width) for _, caption in row] for row in rows]
    top = GAP + LINE * max(map(len, above))
    tall = [height + LINE * max(map(len, texts)) + GAP for texts in below]
    sheet = Image.new(
        'RGB', (len(titles) * (width + GAP) + GAP, top + sum(tall)), 'white'
    )
    for column, lines in enumerate(above):
        left = GAP + column * (width + GAP)
        # Titles stand on the pictures, however many lines others have.
        _write(sheet, lines, left, top - LINE * len(lines) - 2)
    for row, texts, step in zip(rows, below, tall, strict=True):
        for column, (picture, _) in enumerate(row):
            left = GAP + column * (width + GAP)
            sheet.paste(_fitted(picture, width, height), (left, top))
            _write(sheet, texts[column], left, top + height + 1)
        top += step
    return sheet


def write_png(path: str | Path, picture: Image.Image) -> None:
    """Writes a picture whole or not at all."""
    with atomic_file(path, 'wb') as file:
        picture.save(file, format='PNG')


def _fitted(picture: np.ndarray, width: int, height: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    if image.size == (width, height):
        return image
    whole = width % image.width == 0 and height % image.height == 0
    method = Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS
    return image.resize((width, height), method)


def _wrap(text: str, width: int) -> list[str]:
    return [
        line
        for part in text.splitlines()
        for line in textwrap.wrap(part, max(1, int(width / _LETTER)))
    ]


def _write(
    sheet: Image.Image, lines: Sequence[str], left: int, top: int
) -> None:
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    for number, line in enumerate(lines):
        pen.text((left, top + number * LINE), line, fill='black', font=font)
