"""The comparison on several datasets, with stand-ins for the tools."""

import csv
import json
import re
from pathlib import Path

import pytest
import torch
from downstream import compare
from downstream.folders import missing_line
from downstream.processes import run_logged
from matplotlib.axes import Axes
from PIL import Image

from tests.helpers import ARCH, CLASSIFIER, CLASSIFIER_BACKBONE, ROOT, build
from tests.tools.downstream.stand_ins import CONFIG, calls, write_stand_ins

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
            '--datasets FER: no such dataset; expected ube, fi, emotion6, '
            'emo8, caers, heco, emoset',
        ),
        (dict(fractions=[0.5, 1.5]), '--fractions 1.5: expected'),
        (dict(checkpoint='none', knn_config='x'), '--knn: there is nothing'),
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
    assert printed.out.splitlines() == [
        *(missing_line(n, place / 'data') for n in ('ube', 'emo8')),
        *(missing_line(n, place / 'data') for n in ('heco', 'emoset')),
        f'FI: training (log: {out}/fi/console.log)',
        f'FI: testing (log: {out}/fi/console.log)',
        'FI: 50.00 % top-1',
        f'Emotion6: training (log: {out}/emotion6/console.log)',
        f'Emotion6: testing (log: {out}/emotion6/console.log)',
        'Emotion6: 80.00 % top-1',
    ]
    rest = ['not there', 'failed', 'not there']
    assert table(place) == {
        ('', 'top-1'): ['not there', '50.00', '80.00', *rest],
        ('', 'macro F1'): ['not there', '16.67', '26.67', *rest],
        ('', 'weighted F1'): ['not there', '7.14', '11.43', *rest],
        ('', 'test images'): ['not there', '24', '24', *rest],
    }
    assert not (out / 'learning_curve.png').exists()


def test_what_is_done_is_not_done_again(place, capsys, monkeypatch):
    monkeypatch.setenv('BROKEN', 'FI')
    comparison = start(place)
    log = place / 'out/fi/console.log'
    assert (
        f'FI: training failed with status 1; its last lines:\n  training\n'
        f'    20 %\n  some images\n  no luck\n  (log: {log})\n'
    ) == capsys.readouterr().err
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

    monkeypatch.setattr('downstream.comparison.run_logged', run)
    start(place)
    assert seen == [['not yet'] * 2] * 2 + [['50.00', 'not yet']] * 2


def test_shares_of_the_training_images(place, monkeypatch):
    drawn = []
    plot = Axes.plot
    monkeypatch.setattr(
        Axes, 'plot', lambda *a, **k: [drawn.append((a[1:], k)), plot(*a, **k)]
    )
    start(place, fractions=[0.2, 1.0, 0.4, 0.2], datasets=['fi', 'emotion6'])
    assert [line[-1] for line in calls(place / 'tools')] == [
        f'train_dataloader.dataset.fraction={share}'
        for share in (0.2, 0.2, 1.0, 1.0, 0.4, 0.4) * 2
    ]
    folders = {path.name for path in (place / 'out').glob('*_*/')}
    assert folders == {
        f'{n}_{f}' for n in ('fi', 'emotion6') for f in (0.2, 0.4, 1.0)
    }
    text = (place / 'out/results.md').read_text()
    assert text.endswith(
        '## Top-1 by share of the training images\n\n'
        '| dataset | 20 % | 100 % | 40 % |\n| --- | --- | --- | --- |\n'
        + '| UBE | not chosen | not chosen | not chosen |\n'
        '| FI | 10.00 | 50.00 | 20.00 |\n'
        '| Emotion6 | 16.00 | 80.00 | 32.00 |\n'
        + ''.join(
            f'| {name} | not chosen | not chosen | not chosen |\n'
            for name in ('Emo8', 'CAER-S', 'HECO')
        )
    )
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


def test_neighbours_of_another_encoder_are_refused_before_training(place):
    knn = write_encoder(place, 64)
    with pytest.raises(ValueError, match='keys of another shape') as caught:
        start(place, knn_config=knn)
    message = str(caught.value)
    assert message.startswith(f'--knn-config {knn}: {place}/weights.pth: ')
    assert message.endswith(
        'the config is for another architecture. Name with --knn-config '
        'a config with the encoder of the checkpoint'
    )
    assert not calls(place / 'tools')


def test_a_config_of_another_dataset_is_not_run(place, capsys):
    demo = str(ROOT / 'configs/finetune/vit-tiny_demo.py')
    comparison = start(place, config=demo)
    failed = {job.title for job in comparison.failed}
    assert failed == {'FI', 'Emotion6'}
    said = capsys.readouterr().err.splitlines()
    assert said[0] == (
        f'FI: {demo}: is for one dataset, so --dataset fi would have no effect'
    )
    assert not calls(place / 'tools')


def test_an_override_that_is_none_is_not_run(place, capsys):
    start(place, cfg_options=['lr'])
    assert capsys.readouterr().err.splitlines()[0] == (
        "FI: argument --cfg-options: 'lr': expected KEY=VALUE"
    )
    assert not calls(place / 'tools')


def test_neighbours_are_a_column(place):
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
    errors = capsys.readouterr().err.splitlines()
    assert errors[0].startswith('FI: model.head.num_classes is 5, but FI')
    assert errors[1] == (f'Emotion6: {place}/any_emotion6.py: no such config')


def test_settings_are_noted_before_training(place, monkeypatch):
    monkeypatch.setenv('BROKEN', 'FI')
    start(place, datasets=['fi'])
    noted = json.loads((place / 'out/fi/job.json').read_text())
    assert noted['checkpoint'] == str(place / 'weights.pth')
    assert noted['checkpoint_bytes'] == 7
    assert noted['data_root'] == str((place / 'data/FI').resolve())
