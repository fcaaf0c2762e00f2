import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from tests.datasets.miniatures import draw
from uniemox_mm.datasets.decoding import decode
from uniemox_mm.preparation import image_files
from uniemox_mm.preparation.color_histograms import count_colors
from uniemox_mm.preparation.image_files import ImageFiles

NAMES = [f'{i}.{"png" if i % 2 else "jpg"}' for i in range(7)]


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        draw(tmp_path, name, 24)
    return tmp_path


@pytest.mark.parametrize('colors', [False, True])
def test_every_file_is_read_once(root, colors):
    files = ImageFiles(root, NAMES, 3, colors)
    assert len(files) == 3
    assert [list(files.names_of(i)) for i in range(3)] == [
        NAMES[:3],
        NAMES[3:6],
        NAMES[6:],
    ]
    records = [record for i in range(3) for record in files[i]]
    assert json.loads(json.dumps(records)) == records
    for name, record in zip(NAMES, records, strict=True):
        content = (root / name).read_bytes()
        assert record['problem'] is None
        assert record['sha256'] == hashlib.sha256(content).hexdigest()
        if colors:
            expected = count_colors(decode(content))
            np.testing.assert_array_equal(record['colors'], expected)
        else:
            assert record['colors'] is None


@pytest.mark.parametrize('colors', [False, True])
def test_broken_ones_say_what_is_wrong(root, colors):
    for name in ('0.jpg', '1.png'):
        (root / name).write_bytes((root / name).read_bytes()[:-300])
    (root / '2.jpg').write_bytes(b'')
    (root / '3.png').write_text('<html>')
    (root / '4.jpg').unlink()
    Image.new('RGB', (15, 90)).save(root / '5.png')
    records = ImageFiles(root, NAMES, 7, colors)[0]
    problems = [record['problem'] for record in records]
    expected = [
        *('Truncated', 'not a readable image', 'the file is empty'),
        *('not an image', 'no such image', '15 x 90 pixels'),
    ]
    for found, part in zip(problems[:6], expected, strict=True):
        assert part in found and str(root) not in found
    assert problems[6] is None
    assert all(set(record) == {'problem'} for record in records[:6])


def test_what_only_full_decoding_finds_is_broken_too(root, monkeypatch):
    def fails(content):
        raise SyntaxError('bad block')

    monkeypatch.setattr(image_files, 'decode', fails)
    (record,) = ImageFiles(root, NAMES[:1], 1, True)[0]
    assert record == dict(
        problem='not a readable image (SyntaxError: bad block)'
    )
