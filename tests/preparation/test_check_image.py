import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from tests.datasets.miniatures import draw
from uniemox_mm.datasets.decoding import decode
from uniemox_mm.preparation import check_image
from uniemox_mm.preparation.check_image import ImageFiles
from uniemox_mm.preparation.color_histograms import count_colors

NAMES = [f'{i}.{"png" if i % 2 else "jpg"}' for i in range(7)]


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        draw(tmp_path, name, 24)
    return tmp_path


@pytest.mark.parametrize('count', [None, count_colors])
def test_records_of_good_images(root, count):
    files = ImageFiles(root, NAMES, count)
    records = [files[i] for i in range(7)]
    assert json.loads(json.dumps(records)) == records
    for name, record in zip(NAMES, records, strict=True):
        content = (root / name).read_bytes()
        colors = count_colors(decode(content)).tolist() if count else None
        digest = hashlib.sha256(content).hexdigest()
        assert record == dict(problem=None, sha256=digest, colors=colors)


@pytest.mark.parametrize('count', [None, count_colors])
def test_broken_images_have_a_problem_only(root, count):
    for name in ('0.jpg', '1.png'):
        (root / name).write_bytes((root / name).read_bytes()[:-300])
    (root / '2.jpg').write_bytes(b'')
    (root / '3.png').write_text('<html>')
    (root / '4.jpg').unlink()
    Image.new('RGB', (15, 90)).save(root / '5.png')
    files = ImageFiles(root, NAMES, count)
    expected = [
        *('Truncated', 'not a readable image', 'the file is empty'),
        *('not an image', 'no such image', '15 x 90 pixels'),
    ]
    for index, part in enumerate(expected):
        assert files[index].keys() == {'problem'}
        assert part in files[index]['problem']
        assert str(root) not in files[index]['problem']
    assert files[6]['problem'] is None


def test_errors_of_full_decoding(root, monkeypatch):
    def fails(content):
        raise SyntaxError('bad block')

    monkeypatch.setattr(check_image, 'decode', fails)
    assert ImageFiles(root, NAMES)[0]['problem'] is None
    record = ImageFiles(root, NAMES, np.zeros_like)[0]
    assert record.keys() == {'problem'}
    assert 'SyntaxError: bad block' in record['problem']
