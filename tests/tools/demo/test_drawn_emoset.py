import hashlib
import json

import numpy as np
from drawn_emoset import draw_emoset
from drawn_pictures import draw_sample
from PIL import Image


def digest(root):
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(
            p.read_bytes()
        ).hexdigest()
        for p in sorted(root.rglob('*'))
        if p.is_file()
    }


def test_same_arguments_same_files(tmp_path):
    first = draw_emoset(tmp_path / 'a', 8, 8, 8, size=48)
    second = draw_emoset(tmp_path / 'b', 8, 8, 8, size=48)
    other = draw_emoset(tmp_path / 'c', 8, 8, 8, size=48, seed=1)
    assert digest(first) == digest(second)
    assert digest(first) != digest(other)
    assert len(digest(first)) == 2 * 24 + 5


def test_an_existing_folder_is_left_alone(tmp_path):
    root = tmp_path / 'mine'
    root.mkdir()
    (root / 'note').write_text('keep')
    draw_emoset(root)
    assert [p.name for p in root.iterdir()] == ['note']


def test_people_in_most_images_and_gaps_in_the_attributes(drawn):
    boxes = json.loads((drawn / 'persons.json').read_text())['data_list']
    share = np.mean([bool(e['persons']) for e in boxes])
    assert 0.7 < share < 1
    for entry in boxes:
        width, height = Image.open(drawn / entry['img_path']).size
        for x1, y1, x2, y2, _ in entry['persons']:
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
    keys = [
        json.loads(p.read_text()).keys()
        for p in drawn.glob('annotation/*/*.json')
    ]
    for name in ('brightness', 'scene', 'facial_expression', 'object'):
        present = np.mean([name in k for k in keys])
        assert 0.1 < present < 0.95, name


def test_boxes_are_tight():
    """Erasing the box erases the person: nothing is drawn outside it."""
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        picture, _, boxes = draw_sample('excitement', 224, rng)
        if len(boxes) != 1:
            continue
        found += 1
        # The dark legs (hue 200 to 260, value 0.35) touch the bottom edge.
        hsv = np.asarray(picture.convert('HSV'), int)
        legs = (
            (abs(hsv[..., 2] - 89) < 6)
            & (abs(hsv[..., 1] - 102) < 12)
            & (abs(hsv[..., 0] - 163) < 26)
        )
        rows, columns = np.nonzero(legs)
        x1, y1, x2, y2, _ = boxes[0]
        assert rows.max() <= y2 and rows.min() >= y1
        assert columns.min() >= x1 - 1 and columns.max() <= x2 + 1
        assert y2 - rows.max() < 5
    assert found > 10
