"""The rows, the memory and the table; the trainings are for the benchmark."""

import multiprocessing
import os

import numpy as np
import pytest

from uniemox_mm.apis.startup import markdown, write_rows
from uniemox_mm.apis.startup.memory import (
    children_of,
    memory_of,
    private_part,
)
from uniemox_mm.datasets import EmoSet
from uniemox_mm.datasets.captions import describe
from uniemox_mm.datasets.json_files import read_json
from uniemox_mm.datasets.persons import check_persons

MIB = 2**20


def test_rows_are_a_prepared_emoset(tmp_path):
    root = write_rows(tmp_path, 200)
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*.*')}
    assert write_rows(tmp_path, 200) == root  # taken as it is
    assert {p: p.stat().st_mtime_ns for p in root.rglob('*.*')} == before
    dataset = EmoSet(
        str(root), split=['train', 'val'], caption=dict(emotion=True)
    )
    assert len(dataset) == 200
    assert len(EmoSet(str(root), split='val')) == 12
    entries = read_json(root / 'train.json')['data_list']
    for index, entry in enumerate(entries):
        info = dataset.get_data_info(index)
        emotion = dataset.CLASSES[entry['gt_label']]
        assert info['emotion'] == emotion
        assert info['caption'] == describe(entry['attributes'], emotion)
        assert entry['img_path'].startswith(f'image/{emotion}/{emotion}_')
        assert (root / entry['img_path']).is_file()
        size = entry['height'], entry['width']
        boxes = check_persons(entry['persons'], entry['img_path'], *size)
        np.testing.assert_allclose(boxes[:, 2:4] > boxes[:, :2], True)
    write_rows(tmp_path, 100)
    assert len(EmoSet(str(root), split='train')) == 94


@pytest.fixture
def child():
    """Forked, it writes the first half of an array; the other is shared."""
    array = np.ones(32 * MIB, np.uint8)
    ready, done = multiprocessing.Pipe(), multiprocessing.Pipe()
    pid = os.fork()
    if pid == 0:
        array[: 16 * MIB] = 2
        assert array[16 * MIB :].sum() == 16 * MIB  # reading copies nothing
        ready[1].send(True)
        done[0].recv()
        os._exit(0)
    ready[0].recv()
    yield pid, array
    done[1].send(True)
    os.waitpid(pid, 0)


def test_private_pages_are_those_that_were_written(child):
    pid, array = child
    assert pid in children_of(os.getpid())
    # Pages at the ends, and huge pages, may be copied along.
    assert private_part(pid, array) == pytest.approx(16, abs=4.1)
    assert private_part(pid, array[20 * MIB :]) < private_part(pid, array) + 1
    memory = memory_of(pid)
    assert memory.keys() == {'rss', 'pss', 'private', 'peak_rss'}
    assert 16 <= memory['private'] <= memory['pss'] <= memory['rss']
    assert memory['rss'] <= memory['peak_rss'] + 1


def test_the_table():
    worker = dict(peak_rss=700, rss=650, pss=120, private=20)
    rounds = [
        dict(
            seconds=dict(imports=3.0 + i, lists=1.0),
            total=4.0 + i,
            annotations=36.0,
            main=dict(peak_rss=1100.0, rss=1000.0, pss=400.0, private=200.0),
            workers=[dict(worker, own_annotations=0.004)],
        )
        for i in range(3)
    ]
    machine = dict(device='A CPU', cores=2, torch='2.14', python='3.11')
    text = markdown(
        dict(
            machine=machine,
            config='c.py',
            rows=118_000,
            workers=1,
            steps=20,
            rounds=rounds,
        )
    )
    assert text == (
        'c.py, 118000 rows, 1 workers; A CPU, 2 cores, torch 2.14; median of '
        '3 starts, text features computed before.\n'
        '\n'
        '| part | seconds |\n'
        '|---|---|\n'
        '| imports | 4.00 (3.00 to 5.00) |\n'
        '| lists | 1.00 (1.00 to 1.00) |\n'
        '| **process start to end of first step** | **5.00 (4.00 to 6.00)** '
        '|\n'
        '\n'
        '| process | peak RSS, MiB | RSS | PSS | private | private pages of '
        'the annotations |\n'
        '|---|---|---|---|---|---|\n'
        '| main | 1100 | 1000 | 400 | 200 |  |\n'
        '| worker 1 | 700 | 650 | 120 | 20 | 0.00 |\n'
        '\n'
        'The annotations are 36.0 MiB, once. Memory after 20 steps.\n'
    )
