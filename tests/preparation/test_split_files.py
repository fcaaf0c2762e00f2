import hashlib

import pytest

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.preparation.split_files import (
    REPORT,
    publish,
    sha256_of_split,
)

NAMES = ('train.json', 'val.json', 'test.json', REPORT)


def write(folder, text, names=NAMES):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(f'{name} {text}')
    return folder


def content(folder):
    return {path.name: path.read_text() for path in folder.glob('*.json')}


def files(text):
    return {name: f'{name} {text}' for name in NAMES}


@pytest.fixture
def ready(tmp_path):
    return write(tmp_path / 'ready', 'new')


def test_hash_of_names_labels_and_files():
    images = [
        LabelledImage('b/ü.jpg', 1, group='b', more=dict(persons=[])),
        LabelledImage('a/\udcff.jpg', 10, part='train'),  # not UTF-8
    ]
    hashes = {'b/ü.jpg': 'f2', 'a/\udcff.jpg': 'f1'}
    text = b'a/\xff.jpg\t10\tf1\n' + 'b/ü.jpg\t1\tf2\n'.encode()
    expected = hashlib.sha256(text).hexdigest()
    assert sha256_of_split(images, hashes) == expected
    assert sha256_of_split(images[::-1], hashes) == expected
    hashes['b/ü.jpg'] = 'f3'
    assert sha256_of_split(images, hashes) != expected


def test_the_report_comes_first(ready, tmp_path):
    out = write(tmp_path / 'out', 'any', [])
    written = publish(ready, out, overwrite=False)
    assert content(out) == files('new')
    assert written[0].name == REPORT
    assert {path.name for path in written} == set(NAMES)


def test_equal_files_stay(ready, tmp_path):
    out = write(tmp_path / 'out', 'new')
    times = {p: p.stat().st_mtime_ns for p in out.iterdir()}
    assert publish(ready, out, overwrite=False) == []
    assert {p: p.stat().st_mtime_ns for p in out.iterdir()} == times


def test_killed_run_is_completed(ready, tmp_path):
    out = write(tmp_path / 'out', 'new', [REPORT, 'test.json'])
    written = publish(ready, out, overwrite=False)
    assert {path.name for path in written} == {'train.json', 'val.json'}
    assert content(out) == files('new')


@pytest.mark.parametrize('other', ['train.json', 'val.json', 'test.json'])
def test_another_split_file_stays_and_stops_all(ready, tmp_path, other):
    out = write(tmp_path / 'out', 'old', [other])
    with pytest.raises(FileExistsError) as error:
        publish(ready, out, overwrite=False)
    assert f'{out}: holds another {other}; nothing was' in str(error.value)
    assert '--overwrite' in str(error.value)
    assert content(out) == {other: f'{other} old'}
    assert content(ready) == files('new')


def test_another_report_alone_is_replaced(ready, tmp_path):
    out = write(tmp_path / 'out', 'new')
    write(out, 'old', [REPORT])
    assert publish(ready, out, overwrite=False) == [out / REPORT]
    assert content(out) == files('new')


@pytest.mark.parametrize('moved', range(5))
def test_killed_while_overwriting_leaves_no_mixture(
    ready, tmp_path, monkeypatch, moved
):
    """A single old file that is equal must not survive among the new."""
    out = write(tmp_path / 'out', 'old')
    write(out, 'new', ['val.json'])
    real = type(out).replace
    count = 0

    def dies(path, target):
        nonlocal count
        if count == moved:
            raise KeyboardInterrupt
        count += 1
        return real(path, target)

    monkeypatch.setattr(type(out), 'replace', dies)
    if moved < 4:
        with pytest.raises(KeyboardInterrupt):
            publish(ready, out, overwrite=True)
    else:
        assert len(publish(ready, out, overwrite=True)) == 4
    found = content(out)
    old = {REPORT: f'{REPORT} old'} if not moved else {}
    assert found == {**old, **{n: t for n, t in files('new').items()
                               if n in found and n not in old}}  # fmt: skip
    assert len(found) == max(moved, 1)
    monkeypatch.undo()
    publish(write(ready, 'new'), out, overwrite=True)
    assert content(out) == files('new')
