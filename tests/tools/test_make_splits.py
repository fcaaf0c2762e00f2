"""tools/dataset_converters/make_splits.py as a user runs it."""

import json
import runpy
import shutil
import sys
from collections import Counter

import pytest

from tests.datasets.miniatures import (
    class_names,
    read,
    write_miniature,
)
from tests.helpers import ROOT
from tests.processes import kill_after, run

TOOL = 'tools/dataset_converters/make_splits.py'
SPLITS = ('train', 'val', 'test')


@pytest.fixture
def call(monkeypatch, capsys):
    """The tool without a process of its own, which takes seconds."""

    def run_here(*arguments):
        command = [TOOL, *map(str, arguments), '--workers', '0']
        monkeypatch.setattr(sys, 'argv', command)
        try:
            runpy.run_path(str(ROOT / TOOL), run_name='__main__')
        except SystemExit as error:
            return capsys.readouterr().out, error.code
        return capsys.readouterr().out, 0

    return run_here


@pytest.mark.slow
def test_the_summary_and_the_files(tmp_path):
    root = write_miniature('CAERS', tmp_path / 'CAER-S')
    shutil.copy(root / 'test/Fear/0001.png', root / 'train/Fear/0003.png')
    shutil.copy(root / 'train/Sad/0004.png', root / 'train/Happy/0004.png')
    (root / 'train/Anger/0002.png').write_bytes(b'')
    result = run(
        *(TOOL, 'caers', root, '--workers', 2, '--val-from', 'train'),
        *('--duplicates', 'drop'),
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ['train', 'val', 'test']
    table = dict(line.split(maxsplit=1) for line in lines[1:9])
    counts = {key: [int(n) for n in row.split()] for key, row in table.items()}
    columns = zip(*counts.values(), strict=True)
    for split, column in zip(SPLITS, columns, strict=True):
        dataset = read('CAERS', root, split)
        expected = Counter(class_names(dataset).values())
        classes = dataset.metainfo['classes']
        assert list(column[:-1]) == [expected[name] for name in classes]
        assert column[-1] == len(dataset)
    assert list(counts) == [*classes, 'all']
    assert sum(counts['all']) == 140 - 4
    for line in (
        'Broken files: 1 of 140',
        '  train/Anger/0002.png: the file is empty',
        'Groups of exact copies: 2, of which 1 with different labels; '
        'images dropped: 3',
        'Seed 42',
        *(f'Written: {root / s}.json' for s in SPLITS),
        f'Full report: {root}/splits_report.json',
        'Next: python tools/train.py '
        'configs/finetune/vit-l_uniemox_caers.py \\',
        f'    --load-from CHECKPOINT --data-root {root}',
    ):
        assert line in lines, result.stdout
    assert 'reading: 100%' in result.stderr and '140/140' in result.stderr
    assert (ROOT / 'configs/finetune/vit-l_uniemox_caers.py').is_file()


def test_a_second_call(call, tmp_path):
    root = write_miniature('FI', tmp_path / 'FI')
    shutil.copy(root / 'awe/awe_00001.jpg', root / 'awe/awe_00002.jpg')
    out, code = call('fi', root)
    assert code == 0 and f'Written: {root}/val.json' in out
    assert 'Groups of exact copies: 1, of which 0 with different' in out
    assert '  --duplicates drop leaves copies out' in out
    out, code = call('fi', root)
    assert code == 0 and 'Written' not in out
    assert f'{root}: the files exist already' in out
    before = (root / 'train.json').read_bytes()
    out, code = call('fi', root, '--seed', 3)
    assert out == ''
    assert code.startswith(f'FileExistsError: {root}: holds another')
    assert (root / 'train.json').read_bytes() == before
    out, code = call('fi', root, '--seed', 3, '--overwrite')
    assert code == 0 and 'Seed 3' in out.splitlines()
    assert (root / 'train.json').read_bytes() != before


def test_candidates_figure_and_another_folder(call, tmp_path):
    root = write_miniature('UnbiasedEmo', tmp_path / 'ube')
    out, figure = tmp_path / 'out', tmp_path / 'new/colors.png'
    text, code = call(
        *('UnbiasedEmo', root, '--out', out, '--figure', figure),
        *('--candidates', 3, '--ratios', 0.6, 0.2, 0.2, '--seed', 8),
    )
    assert code == 0
    report = json.loads((out / 'splits_report.json').read_text())
    scores = {c['disagreement']: c['seed'] for c in report['candidates']}
    assert sorted(scores.values()) == [8, 9, 10]
    seed = scores[min(scores)]
    assert (
        f'Seed {seed}, of 3 whose colors disagree by {min(scores):.4f} to '
        f'{max(scores):.4f}'
    ) in text.splitlines()
    assert 'Groups of exact copies: 0' in text
    assert f'Written: {figure}' in text
    assert 'vit-l_uniemox_ube.py' in text
    assert (ROOT / 'configs/finetune/vit-l_uniemox_ube.py').is_file()
    option = '{train,val,test}_dataloader.dataset.split_dir'
    assert (
        f'--data-root {root} \\\n    --cfg-options {option}={out}\n'
    ) in text
    val = read('UnbiasedEmo', root, 'val', split_dir=str(out))
    assert len(val) == sum(report['counts']['val'].values()) > 0
    assert figure.read_bytes()[:4] == b'\x89PNG'


@pytest.mark.long
def test_killed_run_resumes(tmp_path):
    root = write_miniature('Emo8', tmp_path / 'Emo8', per_class=60)
    (root / 'awe/awe_00003.jpg').write_bytes(b'no image')

    def command(out):
        return [
            *(TOOL, 'Emo8', str(root), '--out', str(out)),
            *('--workers', '1', '--candidates', '3'),
        ]

    out, whole = tmp_path / 'out', tmp_path / 'whole'
    assert run(*command(whole)).returncode == 0
    for at_least in (1, 4):
        kill_after(at_least, out / '.splits.parts', out, *command(out))
    assert not (out / 'train.json').exists()
    result = run(*command(out))
    assert result.returncode == 0, result.stderr
    files = {path.name for path in whole.iterdir()}
    assert len(files) == 5 and files == {path.name for path in out.iterdir()}
    for file in files:
        assert (out / file).read_bytes() == (whole / file).read_bytes()


def test_names_that_are_not_utf8_can_be_printed(call, tmp_path):
    root = write_miniature('FI', tmp_path / 'FI')
    (root / 'awe/\udcff.jpg').write_bytes(b'')
    out, code = call('FI', root)
    assert code == 0
    assert r'  awe/\udcff.jpg: the file is empty' in out
    assert len(read('FI', root)) == 160


@pytest.mark.slow
def test_errors_have_no_traceback(tmp_path):
    root = write_miniature('FI', tmp_path / 'FI', per_class=4)
    result = run(TOOL, 'HECO', root)
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr and result.stdout == ''
    assert result.stderr.startswith(f'ValueError: {root}: is not laid out as')
    assert 'Labels/HECO_Labels.csv' in result.stderr
