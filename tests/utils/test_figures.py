"""Every picture in its place to the pixel, every word below it."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from uniemox_mm.utils.figures import (
    GAP,
    LINE,
    SMALLEST,
    figure_pixels,
    picture_grid,
    save_figure,
)


def plain(value, size=(64, 64)):
    return np.full((*size, 3), value, np.uint8)


@pytest.mark.parametrize('rows', [1, 8])
@pytest.mark.parametrize('columns', [2, 6])
@pytest.mark.parametrize('size', [(32, 32), (37, 53), (224, 224)])
def test_pictures_are_enlarged_by_whole_numbers(rows, columns, size):
    """Rendered at offsets that used to round, every pixel is its square."""
    rng = np.random.default_rng(0)
    shape = (rows, columns, *size, 3)
    pictures = rng.integers(0, 256, shape, np.uint8)
    cells = [[(picture, '') for picture in row] for row in pictures]
    grid = figure_pixels(picture_grid(['a'] * columns, cells))
    zoom = int(np.ceil(SMALLEST / max(size)))
    height, width = zoom * size[0], zoom * size[1]
    assert grid.shape == (
        GAP + LINE + rows * (height + GAP),
        GAP + columns * (width + GAP),
        3,
    )
    for row in range(rows):
        for column in range(columns):
            top = GAP + LINE + row * (height + GAP)
            left = GAP + column * (width + GAP)
            shown = grid[top : top + height, left : left + width]
            enlarged = pictures[row, column].repeat(zoom, 0).repeat(zoom, 1)
            np.testing.assert_array_equal(shown, enlarged)


def test_smaller_pictures_keep_their_proportions():
    large, small = plain(10, (200, 200)), plain(20, (50, 100))
    grid = figure_pixels(picture_grid(['', ''], [[(large, ''), (small, '')]]))
    left, top = GAP + 200 + GAP, GAP
    assert (grid[top : top + 200, GAP : GAP + 200] == 10).all()
    assert (grid[top : top + 100, left : left + 200] == 20).all()
    assert (grid[top + 100 :, left:] == 255).all()


def test_captions_extend_below_cells_without_one():
    """Text is wrapped within its own and the free cells, and is never math."""
    words = 'many words of $a text$ ' * 2
    rows = [
        [(plain(0), ''), (plain(0), words), (None, ''), (plain(0), 'b')],
        [(plain(0), words), (None, 'c'), (None, ''), (plain(0), '')],
    ]
    figure = picture_grid(['', words, '', ''], rows)
    texts = [axis.texts[-1].get_text() for axis in figure.axes]
    assert texts[1].count('\n') < texts[4].count('\n') < 4
    assert texts[4].replace('\n', ' ') == words.strip()
    assert figure.axes[1].texts[0].get_text() == texts[4]  # the title
    grid = figure_pixels(figure) < 128
    below = grid[-(GAP + 4 * LINE) :]
    assert not below[:, GAP + 192 : 2 * GAP + 192].any()
    assert below[:, : GAP + 192].any() and below[:, 2 * GAP + 192 :].any()


def test_a_figure_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    figure = Figure((1, 1), dpi=50, facecolor='red')
    for name, kind in (('a.png', 'PNG'), ('new/a.jpg', 'JPEG')):
        save_figure(tmp_path / name, figure)
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == (kind, (50, 50))
            assert image.convert('RGB').getpixel((5, 5))[0] > 250
            assert 'Software' not in image.info
    before = sorted(tmp_path.rglob('*'))

    def fail(figure, file, **_):
        file.write(b'half')
        raise OSError('full')

    monkeypatch.setattr(Figure, 'savefig', fail)
    with pytest.raises(OSError, match='full'):
        save_figure(tmp_path / 'b.png', figure)
    assert sorted(tmp_path.rglob('*')) == before
