"""Output, options and errors of ``python -m uniemox_mm predict``."""

import csv
import json
import logging
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger, print_log
from PIL import Image

from tests.apis.classifiers import (
    expected_scores,
    load_model,
    photo,
    write_work_dir,
)
from tests.datasets.miniatures import write_miniature
from tests.helpers import EMO_MAE, build, execute, tiny_config
from uniemox_mm import EmotionInferencer
from uniemox_mm.__main__ import main
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.datasets.inference_pipeline import InferencePipeline

COMMAND = import_module('uniemox_mm.apis.predict')


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for i in range(3):
        Image.fromarray(photo(i)).save(folder / f'{i}.png')
    return folder


def predict(capsys, *arguments):
    code = main(['predict', *map(str, arguments), '--device', 'cpu'])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def ranked(work_dir, seed):
    scores = expected_scores(load_model(work_dir), photo(seed))
    order = np.argsort(-scores)
    return [(EMOSET_CATEGORIES[i], scores[i]) for i in order]


def test_table(capsys, work_dir, photos):
    code, out, err = predict(
        capsys, photos, '--checkpoint', work_dir, '--top', 2
    )
    lines = [
        f'{photos}/{i}.png  '
        + '  '.join(
            f'{name:<11} {100 * score:5.1f} %'
            for name, score in ranked(work_dir, i)[:2]
        )
        for i in range(3)
    ]
    assert (code, out.splitlines(), err) == (0, lines, '')


def test_json_files_and_failures(capsys, work_dir, photos, tmp_path):
    bad = photos / 'text.jpg'
    bad.write_text('a text')
    empty = tmp_path / 'empty'
    empty.mkdir()
    inputs = [photos / '1.png', empty, bad, tmp_path / 'gone.png', photos]
    options = ['--checkpoint', work_dir, '--batch-size', 2]
    code, out, err = predict(capsys, *inputs, *options, '--json')
    assert code == 1
    failed = [empty, bad, tmp_path / 'gone.png', bad]
    problems = err.splitlines()
    for path, problem in zip(failed, problems, strict=True):
        assert problem.startswith(f'{path}: ')
    rows = [json.loads(line) for line in out.splitlines()]
    good = [row for row in rows if 'error' not in row]
    assert [row['error'] for row in rows if 'error' in row] == problems
    seeds = (1, 0, 1, 2)
    assert [row['path'] for row in good] == [
        str(photos / f'{seed}.png') for seed in seeds
    ]
    for row, seed in zip(good, seeds, strict=True):
        expected = dict(ranked(work_dir, seed))
        assert row['scores'] == pytest.approx(expected, abs=2e-6)
        best = ranked(work_dir, seed)[0][0]
        assert row['pred_class'] == best
        assert row['pred_label'] == EMOSET_CATEGORIES.index(best)
        assert row['pred_score'] == row['scores'][best]
        assert list(row) == [
            'path', 'pred_class', 'pred_label', 'pred_score', 'scores'
        ]  # fmt: skip
    for name in ('out.json', 'out.jsonl'):
        target = tmp_path / name
        code, out, err = predict(capsys, *inputs, *options, '--out', target)
        assert (code, out) == (1, '')
        summary = f'{target}: 8 images, 4 failed'
        assert err.splitlines() == [*problems, summary]
        text = target.read_text()
        if name == 'out.jsonl':
            text = f'[{",".join(text.splitlines())}]'
        assert json.loads(text) == rows


def test_people(capsys, work_dir, photos, narrow_yolov3, monkeypatch):
    build_inferencer = COMMAND.EmotionInferencer

    def confident(*arguments, detector, **settings):
        detector['confidence'] = 0.3  # scores are low in noise
        return build_inferencer(*arguments, detector=detector, **settings)

    monkeypatch.setattr(COMMAND, 'EmotionInferencer', confident)
    config, weights = narrow_yolov3
    options = [
        photos, '--checkpoint', work_dir, '--persons', weights,
        '--persons-config', config,
    ]  # fmt: skip
    _, out, _ = predict(capsys, *options, '--json')
    counts = [len(json.loads(line)['persons']) for line in out.splitlines()]
    assert sum(counts) > 0
    _, out, _ = predict(capsys, *options)
    words = [f'{n} {"person" if n == 1 else "people"}' for n in counts]
    assert [line.split('  ')[-1] for line in out.splitlines()] == words


def test_zero_shot(capsys, photos, monkeypatch):
    used = {}

    def record(**settings):
        used.update(settings)
        raise RuntimeError('no weights here')

    monkeypatch.setattr(COMMAND, 'ZeroShotEmotionInferencer', record)
    options = [
        photos, '--zero-shot', 'clip.pt', '--clip-model', 'ViT-B-32',
        '--prompt', '{emotion}', '--prompt', 'so {emotion}',
        '--classes', 'joy, fear',
    ]  # fmt: skip
    assert predict(capsys, *options) == (2, '', 'no weights here\n')
    assert used == dict(
        pretrained='clip.pt',
        model='ViT-B-32',
        prompt=['{emotion}', 'so {emotion}'],
        classes=('joy', 'fear'),
        device='cpu',
        detector=None,
    )
    predict(capsys, photos, '--zero-shot', 'openai', '--classes', 'emotion6')
    assert used['classes'] == (
        'anger', 'disgust', 'fear', 'joy', 'sadness', 'surprise'
    )  # fmt: skip


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ('', '--checkpoint --zero-shot is required'),
        ('--checkpoint a --zero-shot b', '--zero-shot: not allowed with'),
        ('--checkpoint a --prompt {emotion}', '--prompt goes with --zero-sh'),
        ('--checkpoint a --clip-model b', '--clip-model goes with --zero-sh'),
        ('--zero-shot a --config b', '--config goes with --checkpoint'),
        ('--checkpoint a --persons-config b', 'goes with --persons'),
        ('--checkpoint a --out b.csv', '--out b.csv: expected .json or'),
        ('--checkpoint a --top 0', '--top must be at least 1'),
        ('--checkpoint a --batch-size 0', 'must be at least 1'),
    ],
)
def test_invalid_options(capsys, options, message):
    with pytest.raises(SystemExit) as stop:
        main(['predict', 'a.jpg', *options.split()])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_no_usable_model(capsys, photos, work_dir, tmp_path):
    """The reason is on stderr, in one line, with exit code 2."""

    def refused(message, *options):
        code, out, err = predict(capsys, photos, *options)
        assert (code, out) == (2, '')
        assert message in err and len(err.splitlines()) == 1

    gone = tmp_path / 'gone.pth'
    refused(f'{gone}: no such checkpoint', '--checkpoint', gone)
    content = torch.load(work_dir / 'epoch_3.pth')
    torch.save(dict(content, meta=3), gone)
    config = ['--config', work_dir / 'ft.py']
    refused(f'{gone}: its meta is 3', '--checkpoint', gone, *config)
    pretraining = tmp_path / 'pretraining'
    pretraining.mkdir()
    tiny_config('data', pretraining).dump(pretraining / 'p.py')
    weights = build(EMO_MAE).state_dict()
    torch.save(dict(state_dict=weights), pretraining / 'epoch_1.pth')
    refused('p.py: EmoMAE does not classify', '--checkpoint', pretraining)
    names = ['--checkpoint', work_dir, '--classes', 'joy']
    refused('--classes joy: expected names', *names)


def test_results_are_written_as_they_come(
    capsys, work_dir, photos, tmp_path, monkeypatch
):
    """An interrupt keeps the lines so far; a file is whole or absent."""
    prepare = InferencePipeline.__call__

    def stop_at_the_last(self, source):
        if source.path.endswith('2.png'):
            raise KeyboardInterrupt
        return prepare(self, source)

    monkeypatch.setattr(InferencePipeline, '__call__', stop_at_the_last)
    options = [photos, '--checkpoint', work_dir, '--batch-size', 1, '--json']
    with pytest.raises(KeyboardInterrupt):
        predict(capsys, *options)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row['path'] for row in rows] == [
        str(photos / f'{i}.png') for i in range(2)
    ]
    with pytest.raises(KeyboardInterrupt):
        predict(capsys, *options, '--out', tmp_path / 'out' / 'a.jsonl')
    assert not list((tmp_path / 'out').iterdir())


def test_unwritable_file(capsys, photos, tmp_path):
    """Reported before the model is loaded."""
    options = [photos, '--checkpoint', tmp_path / 'gone.pth', '--out']
    folder = tmp_path / 'a.json'
    folder.mkdir()
    code, out, err = predict(capsys, *options, folder)
    assert (code, out) == (2, '') and err.startswith(f'{folder}: is a folder')
    code, out, err = predict(capsys, *options, photos / '0.png' / 'b.json')
    assert (code, out) == (2, '') and f"'{photos}/0.png" in err


def test_stdout_is_json_only(capsys, work_dir, photos, monkeypatch):
    build_inferencer = COMMAND.EmotionInferencer

    def log_and_build(*arguments, **settings):
        print_log('a warning', logger='current', level=logging.WARNING)
        print('a remark')
        return build_inferencer(*arguments, **settings)

    def streams():
        handlers = MMLogger.get_current_instance().handlers
        return [h.stream for h in handlers if hasattr(h, 'stream')]

    before = streams()
    monkeypatch.setattr(COMMAND, 'EmotionInferencer', log_and_build)
    code, out, err = predict(
        capsys, photos, '--checkpoint', work_dir, '--json'
    )
    names = [json.loads(line)['path'] for line in out.splitlines()]
    assert code == 0 and names == [str(photos / f'{i}.png') for i in range(3)]
    assert 'a warning' in err and 'a remark' in err
    assert streams() == before


@pytest.fixture(scope='module')
def odd_emo8(tmp_path_factory):
    """Emo8's layout with various sizes, CMYK, and EXIF orientations."""
    root = tmp_path_factory.mktemp('data') / 'Emo8'
    write_miniature('Emo8', root, per_class=13, size=48)
    for i, path in enumerate(sorted(root.glob('*/*.jpg'))):
        image = Image.fromarray(photo(i, 40 + i % 7, 60 + i % 5))
        exif = Image.Exif()
        exif[0x0112] = 1 + i % 8
        if i % 3 == 0:
            image = image.convert('CMYK')
        image.save(path, exif=exif)
    return root


@pytest.mark.slow
def test_scores_equal_tools_test(odd_emo8, tmp_path):
    work_dir = write_work_dir(tmp_path / 'ft', odd_emo8)
    tested = execute(
        *(sys.executable, 'tools/test.py', work_dir / 'ft.py', work_dir),
        *('--split', 'train'),
    )
    assert tested.returncode == 0, tested.stderr
    with (work_dir / 'train' / 'predictions.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 88
    predicted = execute(
        *(sys.executable, '-m', 'uniemox_mm', 'predict', '--json'),
        *('--checkpoint', work_dir, '--device', 'cpu', '--batch-size', 7),
        *(row['image'] for row in rows),
    )
    assert (predicted.returncode, predicted.stderr) == (0, '')
    printed = [json.loads(line) for line in predicted.stdout.splitlines()]
    infer = EmotionInferencer(work_dir, device='cpu')
    results = infer([row['image'] for row in rows])
    for row, line, result in zip(rows, printed, results, strict=True):
        scores = {name: float(row[name]) for name in EMOSET_CATEGORIES}
        assert result['scores'] == pytest.approx(scores, abs=1e-6)
        assert line['path'] == result['path'] == row['image']
        assert line['pred_class'] == result['pred_class'] == row['prediction']
        assert line['scores'] == pytest.approx(result['scores'], abs=1e-6)
