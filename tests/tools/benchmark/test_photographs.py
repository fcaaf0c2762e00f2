import io

import numpy as np
import pytest
from photographs import SHAPES, photographs
from PIL import Image


@pytest.fixture(scope='module')
def drawn():
    return list(photographs(8))


def test_same_seed_same_pictures(drawn):
    assert list(photographs(2)) == drawn[:2]
    assert len({content for content, _ in drawn}) == 8
    (other,) = photographs(1, seed=1)
    assert other[0] != drawn[0][0]


def test_they_are_jpegs_of_the_size_of_photographs(drawn):
    for number, (content, _) in enumerate(drawn):
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.mode) == ('JPEG', 'RGB')
            assert image.size == SHAPES[number % 4]
            # Luminance at the quality that was asked for, 90.
            table = np.array(image.quantization[0])
        assert table.min() == 2  # 10 of the standard's table, times 0.2
        assert 150_000 <= len(content) <= 300_000


def test_contrast_is_at_all_sizes(drawn):
    """Half as large pictures have most of the contrast, as photographs."""
    for content, _ in drawn:
        image = Image.open(io.BytesIO(content)).convert('L')
        whole = np.asarray(image, float)
        assert 40 < whole.std() < 70
        half = np.asarray(image.reduce(2), float)
        assert 0.97 < half.std() / whole.std() < 1
        tiny = np.asarray(image.reduce(128), float)
        assert 0.4 < tiny.std() / whole.std() < 1


def test_people_are_in_their_boxes(drawn):
    counts = [len(boxes) for _, boxes in drawn]
    assert set(counts) <= {0, 1, 2}
    assert len(set(counts)) > 1
    for content, boxes in drawn:
        image = Image.open(io.BytesIO(content))
        for x1, y1, x2, y2, score in boxes:
            assert 0 <= x1 < x2 <= image.width
            assert 0 <= y1 < y2 <= image.height
            assert 0.34 < (y2 - y1) / image.height < 0.91
            assert score == 0.99
        if len(boxes) == 1:
            # The body is of one color, but for the grain.
            middle = np.asarray(image, float)[
                int(y1 + 0.5 * (y2 - y1)) : int(y2 - 0.2 * (y2 - y1)),
                int(x1 + 0.3 * (x2 - x1)) : int(x2 - 0.3 * (x2 - x1)),
            ]
            assert middle.std((0, 1)).max() < 8
