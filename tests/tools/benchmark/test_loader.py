"""tools/benchmark/loader.py as a user runs it."""

import json
import sys

import pytest
from loader_speed import markdown
from mmengine.logging import MMLogger

from tests.helpers import ROOT

sys.path.insert(0, str(ROOT / 'tools/benchmark'))
import loader


@pytest.fixture
def run(monkeypatch):
    logger = MMLogger.get_current_instance()
    level = logger.level

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', ['loader.py', *map(str, arguments)])
        loader.main()

    yield call
    logger.setLevel(level)


def test_of_a_data_set(drawn, tmp_path, run, capsys):
    options = (
        'train_dataloader.dataset.persons=persons.json',
        'train_dataloader.dataset.split=train',
        'train_dataloader.batch_size=2',
    )
    run(
        *('--data-root', drawn, '--images', 3, '--rounds', 2),
        *('--workers', 1, '--short-side', 48, '--out', tmp_path / 'out'),
        *('--cfg-options', *options),
    )
    printed = capsys.readouterr()
    found = json.loads((tmp_path / 'out/loader.json').read_text())
    text = (tmp_path / 'out/loader.md').read_text()
    assert text == markdown(found)
    assert text in printed.out
    forms = found['forms']
    assert [(f['images'], f['short_side']) for f in forms.values()] == [
        (3, 64),
        (3, 48),
        (3, 48),
    ]
    assert len(found['variants']) == 2 * 3 * (
        8 - 2 * ('turbojpeg' in found['not_run'])
    )
    for row in found['variants']:
        taken = row['seconds']
        for number, whole in enumerate(taken['all']):
            steps = sum(v[number] for k, v in taken.items() if k != 'all')
            assert 0 < steps < whole
        assert (sum(taken['person']) > 0) == (row['views'] != 'scene')
    assert [(r['form'], r['workers']) for r in found['workers']] == [
        ('raw JPEG', 1),
        ('prepared files', 1),
        ('prepared LMDB', 1),
    ]
    for step in ('raw JPEG', 'checking', 'in one process', 'with workers'):
        assert step in printed.err


def test_of_another_config(run):
    with pytest.raises(SystemExit) as error:
        run(ROOT / 'configs/finetune/vit-b_uniemox_fi.py')
    assert str(error.value) == (
        'ValueError: the train pipeline is LoadEmotionImage -> '
        'RandomResizedCrop -> RandomFlip -> RandAugment -> RandomErasing -> '
        'PackInputs; expected that of a pretraining config: LoadEmotionImage '
        '-> SceneAndPerson -> ...'
    )
