"""The benchmark of training steps as a user runs it."""

import json
import subprocess
import sys

import pytest

from tests.helpers import ROOT


def run(*args):
    return subprocess.run(
        [sys.executable, 'tools/benchmark/train_step.py', *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_demo_is_measured(tmp_path):
    done = run(
        'configs/uniemox_vit-tiny_demo.py',
        *('--arrangement', 'ours', 'scene', 'mae'),
        *('--rounds', 1, '--batch-size', 2, '--out', tmp_path),
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / 'train_step.md').read_text()
    assert done.stdout.strip() == text.strip()
    result = json.loads((tmp_path / 'train_step.json').read_text())
    rows = {row['name']: row for row in result['rows']}
    assert list(rows) == ['ours', 'scene', 'mae']
    seconds = result['seconds']
    for name, row in rows.items():
        assert row['images_per_second'] == pytest.approx(2 / seconds[name][0])
    assert rows['mae']['multiply_adds'] == rows['scene']['multiply_adds']
    assert rows['mae']['times_ours']['measured'] == pytest.approx(
        seconds['mae'][0] / seconds['ours'][0]
    )
    wrong = run('--device', 'banana')
    assert wrong.returncode == 2 and 'Traceback' not in wrong.stderr
    assert 'error: --device banana cannot be used here: ' in wrong.stderr
    wrong = run('configs/nothing.py')
    assert wrong.returncode == 1 and 'Traceback' not in wrong.stderr
    assert 'configs/nothing.py' in wrong.stderr
