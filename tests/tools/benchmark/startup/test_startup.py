"""The rows, the memory, the table and what is started.

The trainings themselves are for the benchmark.
"""

import multiprocessing
import os

import numpy as np
import pytest
from mmengine.config import Config
from startup_speed import markdown, measure_startup, write_rows
from startup_speed.measuring import startup_config
from startup_speed.memory import children_of, memory_of, private_part

from tests.helpers import ROOT
from uniemox_mm.datasets import EmoSet
from uniemox_mm.datasets.captions import describe
from uniemox_mm.datasets.persons import check_persons
from uniemox_mm.utils.json_files import read_json

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


@pytest.fixture(params=[32 * MIB, 900_000])
def child(request):
    """Forked, it writes the first half of an array; the other is shared.

    What lies around a small array, in the same area of the memory, it writes
    too.
    """
    around = [bytearray(60_000) for _ in range(200)]
    array = np.ones(request.param, np.uint8)
    ready, done = multiprocessing.Pipe(), multiprocessing.Pipe()
    pid = os.fork()
    if pid == 0:
        half = array.size // 2
        array[:half] = 2
        for block in around:
            block[:] = bytes(len(block))
        assert array[half:].sum() == array.size - half  # copies nothing
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
    # A huge page may be copied along.
    more = 2.1 if array.size > 4 * MIB else 0.01
    half = array.size / 2 / MIB
    assert private_part(pid, array) == pytest.approx(half, abs=more)
    end = array[array.size * 5 // 8 :]
    assert private_part(pid, end) == pytest.approx(0, abs=more)
    assert private_part(pid, array[:100]) == 0


def test_the_memory_of_a_process(child):
    pid, array = child
    memory = memory_of(pid)
    assert memory.keys() == {'rss', 'pss', 'private', 'peak_rss'}
    assert array.size / 2 / MIB <= memory['private'] <= memory['pss']
    assert memory['pss'] <= memory['rss'] <= memory['peak_rss'] + 1


@pytest.mark.parametrize('name', ['rows', 'rounds', 'steps', 'workers'])
def test_numbers_that_cannot_be_measured(tmp_path, name):
    """Said before anything is written or run."""
    with pytest.raises(ValueError) as error:
        measure_startup('train.py', 'config.py', tmp_path, **{name: -1})
    assert str(error.value).startswith(
        'rows, rounds and steps must be at least 1, and workers 0, but they '
        'are '
    )
    assert not list(tmp_path.iterdir())


DEMO = ROOT / 'configs/uniemox_vit-tiny_demo.py'
VIT_L = ROOT / 'configs/uniemox_vit-l_pretrain.py'


@pytest.mark.parametrize('config', [DEMO, VIT_L])
def test_the_training_that_is_started(tmp_path, config):
    """Of any size; without workers none can be kept."""
    cfg = startup_config(
        Config.fromfile(config), tmp_path, rows=20, workers=0, steps=3
    )
    loader = cfg.train_dataloader
    assert (loader.num_workers, loader.persistent_workers) == (0, False)
    assert loader.dataset.data_root == str(tmp_path / 'data')
    assert cfg.model.target_generator.pretrained is None
    assert cfg.default_hooks.startup.steps == 3
    cfg = startup_config(Config.fromfile(config), tmp_path, 20, 2, 3)
    loader = cfg.train_dataloader
    assert (loader.num_workers, loader.persistent_workers) == (2, True)


def test_a_training_that_fails_says_why(tmp_path):
    script = tmp_path / 'train.py'
    script.write_text('import sys; sys.exit("no such thing\\n")')
    log = tmp_path / 'training.log'
    with pytest.raises(RuntimeError) as error:
        measure_startup(script, DEMO, tmp_path, rows=20, rounds=1)
    assert str(error.value) == (
        f'the training failed: no such thing (its output is in {log})'
    )


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
            batch_size=64,
            workers=1,
            steps=20,
            rounds=rounds,
        )
    )
    assert text == (
        'c.py, 118000 rows, batches of 64, 1 workers; A CPU, 2 cores, torch '
        '2.14; median of 3 starts, text features computed before.\n'
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
