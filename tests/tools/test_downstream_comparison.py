"""The comparison on several datasets, with stand-ins for the tools."""

import csv
import json
import re
from pathlib import Path

import pytest
import torch
from benchmark_downstream import compare
from matplotlib.axes import Axes
from PIL import Image
from run_logged import run_logged

from tests.helpers import ARCH, CLASSIFIER, CLASSIFIER_BACKBONE, ROOT, build
from tests.tools.stand_ins import CONFIG, calls, write_stand_ins
from uniemox_mm.utils.sha256_file import sha256_file

NONE = -1  # stands for what the base of a config says


@pytest.fixture
def place(mini, tmp_path):
    """A folder with FI, Emotion6, and a CAER-S that is none."""
    (tmp_path / 'data').mkdir()
    for name in ('FI', 'Emotion6'):
        (tmp_path / 'data' / name).symlink_to(mini(name))
    (tmp_path / 'data/caers/train/Angre').mkdir(parents=True)
    (tmp_path / 'weights.pth').write_text('weights')
    (tmp_path / 'any.py').write_text(CONFIG)
    write_stand_ins(tmp_path / 'tools')
    return tmp_path


def start(place, **changes):
    return compare(
        **{
            'checkpoint': str(place / 'weights.pth'),
            'root': place / 'data',
            'out': place / 'out',
            'tools': place / 'tools',
            'config': str(place / 'any.py'),
            'datasets': ['fi', 'emotion6', 'heco'],
            **changes,
        }
    )


def table(place):
    """(Of train, measure) -> dataset -> text, of this checkpoint."""
    with (place / 'out/results.csv').open() as file:
        return {
            (row['of train'], row['measure']): list(row.values())[3:]
            for row in csv.DictReader(file)
            if '(paper)' not in row['method']
        }


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(datasets=['fi', 'FER']),
            '--datasets FER: no such dataset; expected ube, fi, emo',
        ),
        (dict(fractions=[0.5, 1.5]), '--fractions 1.5: expected'),
        (dict(checkpoint='none', knn_config='x'), '--knn: needs a checkpoi'),
        (dict(checkpoint='x.pth'), 'x.pth: no such checkpoint'),
        (dict(root=Path('nowhere')), '--root nowhere: no such folder'),
        (dict(datasets=['emo8']), 'data: holds none of the datasets'),
    ],
)
def test_wrong_arguments(place, changes, message):
    with pytest.raises((ValueError, OSError), match=re.escape(message)):
        start(place, **changes)
    assert not calls(place / 'tools')


def test_each_dataset_is_trained_tested_and_listed(place, capsys):
    comparison = start(place, datasets=None)
    out = place / 'out'
    assert [job.title for job in comparison.failed] == ['CAER-S']
    printed = capsys.readouterr()
    tree = 'train/Anger (or Angry)/0001.png ...'
    assert printed.err.startswith('CAER-S: ') and tree in printed.err
    lines = printed.out.splitlines()
    skipped = [line.split(':')[0] for line in lines if 'skipped' in line]
    assert skipped == ['UBE', 'Emo8', 'HECO', 'EmoSet']
    assert f'no EmoSet-118K or EmoSet in {place}/data' in printed.out
    for name, title, top1 in (('fi', 'FI', 50), ('emotion6', 'Emotion6', 80)):
        start_line = lines.index(
            f'{title}: training (log: {out}/{name}/console.log)'
        )
        assert 'testing' in lines[start_line + 1]
        assert lines[start_line + 2] == f'{title}: {top1}.00 % top-1'
    rest = ['not there', 'failed', 'not there']
    assert table(place) == {
        ('', 'top-1'): ['not there', '50.00', '80.00', *rest],
        ('', 'macro F1'): ['not there', '16.67', '26.67', *rest],
        ('', 'weighted F1'): ['not there', '7.14', '11.43', *rest],
        ('', 'test images'): ['not there', '24', '24', *rest],
    }
    assert not (out / 'learning_curve.png').exists()


def test_done_runs_are_not_repeated(place, capsys, monkeypatch):
    monkeypatch.setenv('BROKEN', 'FI')
    comparison = start(place)
    log = place / 'out/fi/console.log'
    error = capsys.readouterr().err
    assert error.startswith('FI: training failed with status 1')
    assert re.search(
        rf'training\n *20 %\n *some im.*\n *no luck\n.*{log}', error
    )
    assert len(comparison.failed) == 1
    before = (place / 'out/results.md').read_text()
    assert '| failed | 80.00 |' in before
    first = calls(place / 'tools')
    monkeypatch.delenv('BROKEN')
    assert not start(place).failed
    printed = capsys.readouterr().out
    assert f'FI: training from epoch_1.pth on (log: {log})' in printed
    assert 'Emotion6: done before, 80.00 % top-1' in printed
    second = calls(place / 'tools')[len(first) :]
    assert [name for name, *_ in second] == ['train.py', 'test.py']
    assert '--resume' in second[0] and '--resume' not in first[0]
    whole = (place / 'out/results.md').read_text()
    assert '| 50.00 | 80.00 |' in whole
    assert not start(place).failed
    assert len(calls(place / 'tools')) == len(first) + 2
    assert (place / 'out/results.md').read_text() == whole


def test_the_table_is_there_after_every_run(place, monkeypatch):
    seen = []

    def run(command, log):
        seen.append(table(place)['', 'top-1'][1:3])
        return run_logged(command, log)

    monkeypatch.setattr('benchmark_downstream.run_logged', run)
    start(place)
    assert seen == [['not yet'] * 2] * 2 + [['50.00', 'not yet']] * 2


def test_fractions_of_the_training_images(place, monkeypatch):
    drawn = []
    plot = Axes.plot
    monkeypatch.setattr(
        Axes, 'plot', lambda *a, **k: [drawn.append((a[1:], k)), plot(*a, **k)]
    )
    start(place, fractions=[0.2, 1.0, 0.4, 0.2], datasets=['fi', 'emotion6'])
    assert [line[-1] for line in calls(place / 'tools')] == [
        f'train_dataloader.dataset.fraction={fraction}'
        for fraction in (0.2, 0.2, 1.0, 1.0, 0.4, 0.4) * 2
    ]
    folders = {path.name for path in (place / 'out').glob('*_*/')}
    assert folders == {
        f'{n}_{f}' for n in ('fi', 'emotion6') for f in (0.2, 0.4, 1.0)
    }
    text = (place / 'out/results.md').read_text()
    for line in (
        '| dataset | 20 % | 100 % | 40 % |',
        '| FI | 10.00 | 50.00 | 20.00 |',
        '| Emotion6 | 16.00 | 80.00 | 32.00 |',
        '| HECO | not chosen | not chosen | not chosen |',
    ):
        assert line in text
    assert f'| {place}/weights.pth | not chosen | 50.00 | 80.00 |' in text
    ((x, y), options), ((_, other), _) = drawn[-2:]
    assert list(x) == pytest.approx([20, 40, 100])
    assert list(y) == pytest.approx([10, 20, 50])
    assert list(other) == pytest.approx([16, 32, 80])
    assert options['label'] == 'FI'
    with Image.open(place / 'out/learning_curve.png') as image:
        assert image.format == 'PNG'


def write_encoder(place, width):
    """A config for k-NN, and weights of that width for it."""
    model = dict(CLASSIFIER, head=dict(CLASSIFIER['head'], num_classes=NONE))
    text = repr(model).replace(repr(NONE), '{{_base_.num_classes}}')
    (place / 'knn.py').write_text(
        f"_base_ = '{ROOT}/configs/_base_/finetune.py'\nmodel = {text}\n"
    )
    backbone = dict(CLASSIFIER_BACKBONE, arch=dict(ARCH, embed_dims=width))
    head = dict(CLASSIFIER['head'], in_channels=width)
    weights = build(CLASSIFIER, backbone=backbone, head=head).state_dict()
    torch.save(dict(state_dict=weights), place / 'weights.pth')
    return str(place / 'knn.py')


def test_knn_of_another_encoder_is_refused_before_training(place):
    knn = write_encoder(place, 64)
    with pytest.raises(ValueError, match='keys of another shape') as error:
        start(place, knn_config=knn)
    assert f'--knn-config {knn}: {place}/weights.pth' in str(error.value)
    assert not calls(place / 'tools')


def test_a_config_of_another_dataset_is_not_run(place, capsys):
    demo = str(ROOT / 'configs/finetune/vit-tiny_demo.py')
    comparison = start(place, config=demo)
    failed = {job.title for job in comparison.failed}
    assert failed == {'FI', 'Emotion6'}
    error = capsys.readouterr().err
    assert error.startswith(f'FI: {demo}') and '--dataset fi' in error
    assert not calls(place / 'tools')


def test_malformed_override_is_not_run(place, capsys):
    start(place, cfg_options=['lr'])
    error = capsys.readouterr().err
    assert re.match("FI: .*'lr': expected KEY=VALUE", error)
    assert not calls(place / 'tools')


def test_knn_is_a_column(place):
    knn = write_encoder(place, 32)
    start(place, knn_config=knn, cfg_options=['train_cfg.max_epochs=3'])
    runs = calls(place / 'tools')
    names = [name for name, *_ in runs]
    assert names == ['train.py', 'test.py', 'knn.py'] * 2
    assert all(
        ('train_cfg.max_epochs=3' in line) == (name != 'knn.py')
        for name, *line in runs
    )
    text = (place / 'out/results.md').read_text()
    assert '| weighted F1 | test images | k-NN top-1 |' in text
    assert '| FI | 50.00 | 16.67 | 7.14 | 24 | 51.00 |' in text
    assert table(place)['', 'k-NN top-1'][1:3] == ['51.00', '81.00']


def test_other_settings_are_refused_before_anything_runs(place):
    start(place, datasets=['emotion6'])
    before = calls(place / 'tools')
    (place / 'weights.pth').write_text('others')
    with pytest.raises(ValueError, match='was made with other settings'):
        start(place)
    assert calls(place / 'tools') == before


def test_a_config_that_does_not_fit_stops_its_dataset_only(place, capsys):
    (place / 'any_fi.py').write_text(
        f"_base_ = '{ROOT}/configs/finetune/vit-l_uniemox_fi.py'\n"
        'model = dict(head=dict(num_classes=5))\n'
    )
    comparison = start(
        place,
        config=str(place / 'any_{dataset}.py'),
        datasets=['fi', 'emotion6'],
    )
    assert {job.dataset for job in comparison.failed} == {'fi', 'emotion6'}
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith('FI: model.head.num_classes is 5')
    assert f'Emotion6: {place}/any_emotion6.py' in second


def test_settings_are_stored_before_training(place, monkeypatch):
    monkeypatch.setenv('BROKEN', 'FI')
    start(place, datasets=['fi'])
    noted = json.loads((place / 'out/fi/job.json').read_text())
    assert noted['checkpoint'] == str(place / 'weights.pth')
    assert noted['weights'] == sha256_file(place / 'weights.pth')
    assert noted['data_root'] == str((place / 'data/FI').resolve())
