"""Every picture in its place, every word below it."""

import numpy as np
import pytest
from PIL import Image

from uniemox_mm.utils.picture_sheet import GAP, LINE, draw_sheet, write_png


def plain(value, size=(64, 64)):
    return np.full((*size, 3), value, np.uint8)


def test_pictures_are_enlarged_by_whole_numbers_and_in_their_places():
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    rows = [
        [(plain(10), ''), (pixels, '')],
        [(plain(30), 'a word'), (plain(40), '')],
    ]
    sheet = np.asarray(draw_sheet(['a', 'b'], rows))
    side = 192  # 3 x 64, the first that is at least 160
    top, left = GAP + LINE, GAP + side + GAP
    assert sheet.shape == (top + 2 * (side + GAP) + LINE, 2 * left - GAP, 3)
    enlarged = pixels.repeat(3, 0).repeat(3, 1)
    np.testing.assert_array_equal(
        sheet[top : top + side, left : left + side], enlarged
    )
    second = top + side + GAP
    assert (sheet[second : second + side, left : left + side] == 40).all()
    assert (sheet[top : top + side, GAP : GAP + side] == 10).all()
    below = sheet[second + side : second + side + LINE]
    assert (below[:, GAP : GAP + side] < 100).any()
    assert (below[:, left:] == 255).all()


def test_smaller_pictures_are_fitted_to_the_largest():
    rows = [[(plain(10, (200, 200)), ''), (plain(20, (50, 100)), '')]]
    sheet = np.asarray(draw_sheet(['a', 'b'], rows))
    top = GAP + LINE
    assert (sheet[top : top + 200, GAP : GAP + 200] == 10).all()
    assert (sheet[top : top + 200, 2 * GAP + 200 : -GAP] == 20).all()


def test_long_titles_are_wrapped_within_their_columns():
    rows = [[(plain(0), ''), (plain(0), '')]]
    sheet = np.asarray(draw_sheet(['', 'many words of a title ' * 4], rows))
    assert (sheet[: -192 - GAP, : GAP + 192] == 255).all()
    top = sheet.shape[0] - 192 - GAP
    assert top > GAP + 2 * LINE
    assert (sheet[:top, 2 * GAP + 192 :] < 100).any()


def test_a_row_without_a_cell_is_refused():
    with pytest.raises(ValueError, match=r'rows of 2 cells, but got \[1\]'):
        draw_sheet(['a', 'b'], [[(plain(0), '')]])


def test_a_picture_is_whole_or_not_there(tmp_path):
    class Broken(Image.Image):
        def save(self, file, **_):
            file.write(b'half')
            raise OSError('full')

    with pytest.raises(OSError, match='full'):
        write_png(tmp_path / 'a.png', Broken())
    assert list(tmp_path.iterdir()) == []
    write_png(tmp_path / 'new' / 'a.png', Image.fromarray(plain(7)))
    assert (np.asarray(Image.open(tmp_path / 'new/a.png')) == 7).all()
