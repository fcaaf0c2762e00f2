"""tools/benchmark_downstream.py as a user runs it."""

import contextlib
import csv
import io
import json
import runpy
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from tests.datasets.miniatures import write_miniature
from tests.helpers import ROOT, environment
from tests.processes import wait_until_nobody_works_on
from tests.tools.downstream_config import CONFIG, HOOK
from tests.tools.stand_ins import calls, write_stand_ins
from uniemox_mm.apis import load_weights

pytestmark = pytest.mark.slow
SIGNALS = signal.SIGINT, signal.SIGTERM
TOOL = ROOT / 'tools/benchmark_downstream.py'


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """FI and Emotion6, a folder that is none of UBE, weights and config."""
    folder = tmp_path_factory.mktemp('downstream')
    write_miniature('FI', folder / 'data/fi', size=32)
    write_miniature('Emotion6', folder / 'data/Emotion6', size=32)
    (folder / 'data/UBE/images/happy').mkdir(parents=True)
    (folder / 'hold_hook.py').write_text(HOOK)
    (folder / 'any.py').write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        cfg = Config.fromfile(folder / 'any.py')
    torch.manual_seed(0)
    weights = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=weights), folder / 'w.pth')
    return folder


def arguments(place, out, *more):
    return [
        *(TOOL, place / 'w.pth', '--root', place / 'data'),
        *('--config', place / 'any.py', '--out', out, *more),
    ]


def variables(place):
    path = f'{ROOT}:{place}'
    return {**environment(), 'PYTHONPATH': path, 'HOLD': str(place / 'hold')}


def call(place, tool, *arguments):
    """Status, output and errors of the tool, without seconds of imports."""
    out, errors, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        for name, value in variables(place).items():
            patch.setenv(name, value)
        patch.syspath_prepend(place)
        patch.chdir(ROOT)
        patch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        before = {s: signal.getsignal(s) for s in SIGNALS}
        try:
            runpy.run_path(str(tool), run_name='__main__')
        except SystemExit as error:
            code = error.code
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
    return code, out.getvalue(), errors.getvalue()


@pytest.fixture(scope='module')
def whole(place):
    """Folder and end of a run on everything that is there."""
    out = place / 'whole'
    return out, call(place, *arguments(place, out))


def own_rows(out):
    """Measure -> dataset -> text."""
    with (out / 'results.csv').open() as file:
        rows = [r for r in csv.DictReader(file) if 'paper' not in r['method']]
    return {row['measure']: row for row in rows}


def test_the_table_has_what_the_tests_measured(whole, place):
    out, (code, output, errors) = whole
    assert code.startswith('Failed: UBE.')
    assert f'UBE: {place}/data/UBE: is not laid out as Unbiase' in errors
    lines = output.splitlines()
    assert f'Emo8: skipped, no Emo8 in {place}/data' in lines
    rows = own_rows(out)
    for dataset, title in (('fi', 'FI'), ('emotion6', 'Emotion6')):
        metrics = json.loads((out / dataset / 'test/metrics.json').read_text())
        assert metrics['images'] == 24
        (best,) = (out / dataset).glob('best_*.pth')
        assert metrics['checkpoint'] == str(best)
        for measure, key in (
            ('top-1', 'top1'),
            ('macro F1', 'macro_f1'),
            ('weighted F1', 'weighted_f1'),
        ):
            assert rows[measure][title] == f'{metrics[key]:.2f}'
        assert f'{title}: {metrics["top1"]:.2f} % top-1' in lines
        log = (out / dataset / 'console.log').read_text()
        assert f'{place}/w.pth: took 30 tensors of the backbone' in log
    top1 = rows['top-1']
    assert [top1['UBE'], top1['HECO']] == ['failed', 'not there']
    text = (out / 'results.md').read_text()
    row = f'| failed | {top1["FI"]} | {top1["Emotion6"]} | not there |'
    assert f'| {place}/w.pth {row} not there | not there |\n' in text
    assert text in output


def test_a_second_call_only_adds_what_is_new(whole, place):
    out, _ = whole
    files = {*out.rglob('*.pth'), *out.rglob('metrics.json')}
    before = {path: path.stat().st_mtime_ns for path in files}
    assert len(before) == 2 * 4
    table = (out / 'results.md').read_text()
    code, text, _ = call(
        place,
        *arguments(place, out, '--datasets', 'fi', '--knn'),
        *('--knn-config', place / 'any.py'),
    )
    assert code == 0
    top1 = own_rows(out)['top-1']['FI']
    assert f'FI: done before, {top1} % top-1' in text
    metrics = json.loads((out / 'fi_knn/test/metrics.json').read_text())
    assert f'FI, k-NN: {metrics["top1"]:.2f} % top-1' in text
    knn = own_rows(out)['k-NN top-1']['FI']
    assert knn == f'{metrics["top1"]:.2f}' and metrics['k'] in (5, 10, 20)
    assert call(place, *arguments(place, out))[0].startswith('Failed: UBE.')
    assert (out / 'results.md').read_text() == table
    assert {path: path.stat().st_mtime_ns for path in files} == before


@pytest.mark.long
def test_killed_and_run_again_equals_uninterrupted(whole, place):
    out = place / 'killed'
    hold = place / 'hold'
    hold.write_text('')
    command = arguments(place, out, '--datasets', 'fi')
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=variables(place),
        stdout=subprocess.PIPE,
        text=True,
    )
    for _ in range(1200):
        if hold.read_text() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    text = process.communicate()[0]
    assert hold.read_text() == 'reached', text
    hold.unlink()
    wait_until_nobody_works_on(out / 'fi')
    assert 'not yet' in (out / 'results.md').read_text()
    assert [p.name for p in (out / 'fi').glob('epoch_*')] == ['epoch_1.pth']
    code, text, _ = call(place, *command)
    assert code == 0
    assert 'FI: training from epoch_1.pth on' in text
    assert call(place, *arguments(place, whole[0], '--datasets', 'fi'))[0] == 0
    for name in ('results.md', 'results.csv'):
        expected = (whole[0] / name).read_text()
        assert (out / name).read_text() == expected
    both = [f / 'fi/test/predictions.csv' for f in (out, whole[0])]
    assert both[0].read_text() == both[1].read_text()
    # Of the last epoch, whichever was the best.
    ours, theirs = (
        load_weights(folder / 'fi/epoch_2.pth') for folder in (out, whole[0])
    )
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-6, rtol=0)


@pytest.mark.parametrize('sig', SIGNALS)
def test_interrupted_runs_continue(place, monkeypatch, tmp_path, sig):
    tools = write_stand_ins(tmp_path / 'tools')
    shutil.copy(TOOL, tools)
    # Sent by the training to the tool, which is this process here.
    monkeypatch.setenv('SIGNAL', str(int(sig)))
    out = tmp_path / 'out'
    _, *options = arguments(place, out, '--datasets', 'emotion6')
    start = time.monotonic()
    code, _, error = call(place, tools / TOOL.name, *options)
    assert code == 130
    assert 'Interrupted' in error
    assert time.monotonic() - start < 20
    wait_until_nobody_works_on(out / 'emotion6')
    monkeypatch.delenv('SIGNAL')
    assert call(place, tools / TOOL.name, *options)[0] == 0
    assert [name for name, *_ in calls(tools)] == [
        *('train.py', 'train.py', 'test.py')
    ]
    assert '| 80.00 |' in (out / 'results.md').read_text()
