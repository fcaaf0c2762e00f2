import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from uniemox_mm.preparation.color_histograms import ColorPlane
from uniemox_mm.preparation.draw_splits import SIZE, draw_splits

CLASSES = ('amusement', 'awe', 'fear')


@pytest.fixture
def plane():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(900, 2))
    points[0] = 1e4, -1e4  # must not make all others one dot
    return ColorPlane(points, np.array([0.5, 0.2]))


def draw(path, plane, parts):
    labels = [i % 3 for i in range(900)]
    draw_splits(path, plane, labels, parts, CLASSES, 'a title')
    return path


def count_color(path, label, panel):
    """Pixels in a panel of the color that the dots of a class have."""
    pixels = np.asarray(Image.open(path).convert('RGB'), np.float64)
    width = SIZE[0] // 4
    # Without title and legend.
    panel = pixels[60:420, panel * width : (panel + 1) * width]
    color = np.array(colormaps['tab10'](label)[:3]) * 255
    blended = 0.7 * color + 0.3 * 255
    return (np.abs(panel - blended).max(axis=-1) < 6).sum()


def test_each_panel_has_its_images(plane, tmp_path):
    parts = dict(
        train=range(0, 600), val=range(600, 900, 3), test=range(601, 900, 3)
    )
    path = draw(tmp_path / 'new/a.png', plane, parts)
    with Image.open(path) as image:
        assert (image.format, image.size) == ('PNG', SIZE)
    assert SIZE == (1600, 520)
    expected = ({0, 1, 2}, {0, 1, 2}, {0}, {1})
    for panel, classes in enumerate(expected):
        counts = [count_color(path, label, panel) for label in range(3)]
        # The borders of dots and ticks are mixed colors.
        assert {c for c in range(3) if counts[c] > 1000} == classes
        assert {c for c in range(3) if counts[c] > 100} == classes


def test_the_same_images_give_the_same_file(plane, tmp_path):
    parts = dict(train=range(500), val=range(500, 700), test=range(700, 900))
    first = draw(tmp_path / 'a.png', plane, parts).read_bytes()
    assert draw(tmp_path / 'b.png', plane, parts).read_bytes() == first
    parts['val'], parts['test'] = parts['test'], parts['val']
    assert draw(tmp_path / 'c.png', plane, parts).read_bytes() != first
