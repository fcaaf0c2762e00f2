"""The data, the config, the memory and the numbers of the table.

The trainings themselves are for the benchmark.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import startup
from mmengine.config import Config
from startup import add_hook, markdown, measure_startup, write_data_set

from tests.helpers import ROOT
from uniemox_mm.datasets import EmoSet
from uniemox_mm.datasets.captions import describe
from uniemox_mm.datasets.persons import check_persons
from uniemox_mm.utils.json_files import read_json

DEMO = ROOT / 'configs/uniemox_vit-tiny_demo.py'
VIT_L = ROOT / 'configs/uniemox_vit-l_pretrain.py'


def test_data_set_is_a_prepared_emoset(tmp_path):
    root = write_data_set(tmp_path, 200)
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*.*')}
    write_data_set(tmp_path, 200)
    assert {p: p.stat().st_mtime_ns for p in root.rglob('*.*')} == before
    dataset = EmoSet(
        str(root), split=['train', 'val'], caption=dict(emotion=True)
    )
    assert len(dataset) == 200
    assert len(EmoSet(str(root), split='val')) == 12
    counts = []
    for index, entry in enumerate(read_json(root / 'train.json')['data_list']):
        info = dataset.get_data_info(index)
        emotion = dataset.CLASSES[entry['gt_label']]
        assert info['caption'] == describe(entry['attributes'], emotion)
        assert entry['img_path'].startswith(f'image/{emotion}/{emotion}_')
        assert (root / entry['img_path']).is_file()
        size = entry['height'], entry['width']
        boxes = check_persons(entry['persons'], entry['img_path'], *size)
        assert (boxes[:, 2:4] > boxes[:, :2]).all()
        counts.append(len(boxes))
    assert np.mean(counts) == pytest.approx(1.5, abs=0.3)
    write_data_set(tmp_path, 100)
    assert len(EmoSet(str(root), split='train')) == 94


@pytest.mark.parametrize('name', ['rows', 'rounds', 'steps', 'workers'])
def test_too_small_numbers_are_refused_before_anything_is_written(
    tmp_path, name
):
    with pytest.raises(ValueError, match=r'must be at least .*-1'):
        measure_startup('config.py', tmp_path, **{name: -1})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('config', [DEMO, VIT_L])
@pytest.mark.parametrize('workers', [0, 2])
def test_config_of_the_measured_training(tmp_path, config, workers):
    cfg = Config.fromfile(config)
    add_hook(cfg, tmp_path, tmp_path / 'data', workers, steps=3)
    loader = cfg.train_dataloader
    assert loader.num_workers == workers
    assert loader.persistent_workers == (workers > 0)
    assert loader.dataset.data_root == str(tmp_path / 'data')
    assert cfg.model.target_generator.pretrained is None
    hook = cfg.default_hooks.startup
    assert (hook.steps, hook.workers) == (3, workers)


def test_hook_changes_nothing_in_the_process(tmp_path):
    """It is imported by a training, and sets the workers of its loader."""
    script = f"""
import os, types
cores = os.sched_getaffinity(0)
import startup_hook
assert os.sched_getaffinity(0) == cores
hook = startup_hook.StartupHook('{tmp_path}/x', 1, 5)
loader = types.SimpleNamespace(num_workers=1)
hook.before_run(types.SimpleNamespace(train_dataloader=loader))
assert loader.num_workers == 5
memory = startup_hook.memory_of(startup_hook.psutil.Process())
assert 0 < memory['uss'] <= memory['pss'] <= memory['rss']
assert memory['rss'] <= memory['peak_rss'] + 1
"""
    path = os.pathsep.join([str(ROOT / 'tools/benchmark'), *sys.path])
    subprocess.run(
        [sys.executable, '-c', script],
        env={**os.environ, 'PYTHONPATH': path},
        check=True,
    )


def test_failed_training_is_reported_with_its_log(tmp_path):
    script = tmp_path / 'train.py'
    script.write_text('import sys; sys.exit("no such thing")')
    with pytest.raises(RuntimeError, match=r'(?s)such thing.*training\.log'):
        measure_startup(DEMO, tmp_path, rows=20, rounds=1, script=script)


def test_times_are_those_of_each_part(tmp_path, monkeypatch):
    """The hook writes when each part ended; the first start is not counted."""
    script = tmp_path / 'train.py'
    script.write_text(
        'import json, pathlib, sys\n'
        'folder = pathlib.Path(sys.argv[1]).parent\n'
        'times = dict(imports=103.0, model=104.5)\n'
        '(folder / "times.json").write_text(json.dumps(dict(times=times)))\n'
    )
    monkeypatch.setattr(startup.time, 'time', lambda: 100.0)
    result = measure_startup(DEMO, tmp_path, rows=20, rounds=2, script=script)
    seconds = dict(imports=3.0, model=1.5)
    assert result['rounds'] == [dict(seconds=seconds, total=4.5)] * 2


def test_numbers_of_the_table():
    worker = dict(peak_rss=700, rss=650, pss=120, uss=20)
    main = dict(peak_rss=1100.0, rss=1000.0, pss=400.0, uss=200.0)
    rounds = [
        dict(
            seconds=dict(imports=3.0 + i, lists=1.0),
            total=4.0 + i,
            annotations=36.0,
            main=main,
            workers=[worker],
        )
        for i in range(3)
    ]
    text = markdown(
        dict(
            machine=dict(
                device='A CPU',
                memory=None,
                cores=2,
                environment=dict(PyTorch='2.14'),
            ),
            config='c.py',
            rows=118_000,
            batch_size=64,
            workers=1,
            steps=20,
            rounds=rounds,
        )
    )
    for line in (
        '| imports | 4.00 (3.00 to 5.00) |',
        '| lists | 1.00 (1.00 to 1.00) |',
        'first step** | **5.00 (4.00 to 6.00)** |',
        '| main | 1100 | 1000 | 400 | 200 |',
        '| worker 1 | 700 | 650 | 120 | 20 |',
    ):
        assert line in text
    assert 'A CPU, 2 cores, torch 2.14' in text and '36.0 MiB' in text


def test_the_first_start_is_not_counted(tmp_path, monkeypatch):
    script = tmp_path / 'train.py'
    script.write_text(
        'import json, pathlib, sys\n'
        'folder = pathlib.Path(sys.argv[1]).parent\n'
        'starts = folder / "starts"\n'
        'n = len(starts.read_text()) if starts.exists() else 0\n'
        'starts.write_text("x" * (n + 1))\n'
        'times = dict(imports=101.0 + n)\n'
        '(folder / "times.json").write_text(json.dumps(dict(times=times)))\n'
    )
    monkeypatch.setattr(startup.time, 'time', lambda: 100.0)
    result = startup.measure_startup(
        ROOT / 'configs/uniemox_vit-tiny_demo.py',
        tmp_path,
        rows=20,
        rounds=2,
        script=script,
    )
    assert [r['total'] for r in result['rounds']] == [2.0, 3.0]
