"""Commands of a run, and the settings that its results are kept with."""

import os
import sys
from pathlib import Path

import pytest
from downstream.jobs import Job, Recipe
from downstream.settings import check_settings, write_settings

from tests.helpers import ROOT
from tests.tools.downstream.stand_ins import CONFIG
from uniemox_mm.datasets.named_datasets import NAMED_DATASETS


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / 'w.pth').write_text('weights')
    (tmp_path / 'any.py').write_text(CONFIG)
    return dict(
        checkpoint=str(tmp_path / 'w.pth'),
        out=tmp_path / 'out',
        tools=Path('tools'),
        config=str(tmp_path / 'any.py'),
    )


def commands(recipe, **of_job):
    job = Job(Recipe(**recipe), 'fi', Path('data/FI'), **of_job)
    return [command for _, command in job.steps()]


def test_commands_of_a_config_for_any_dataset(recipe, tmp_path):
    config, out = recipe['config'], tmp_path / 'out'
    common = ['--data-root', 'data/FI', '--dataset', 'fi']
    assert commands(recipe) == [
        [
            *(sys.executable, 'tools/train.py', config),
            *('--work-dir', f'{out}/fi'),
            *('--load-from', f'{tmp_path}/w.pth', *common),
        ],
        [
            *(sys.executable, 'tools/test.py', config, f'{out}/fi'),
            *('--out', f'{out}/fi/test', *common),
        ],
    ]


def test_commands_with_everything(recipe, tmp_path):
    recipe.update(
        checkpoint=None, config='c_{dataset}.py', options=('a=1', 'b=[2,3]')
    )
    recipe.update(gpus=2, auto_scale_lr=True)
    folder = tmp_path / 'out/fi_0.2'
    folder.mkdir(parents=True)
    (folder / 'epoch_3.pth').write_text('')
    common = ['--data-root', 'data/FI', '--cfg-options', 'a=1', 'b=[2,3]']
    common.append('train_dataloader.dataset.fraction=0.2')
    assert commands(recipe, fraction=0.2) == [
        [
            *('bash', 'tools/dist_train.sh', 'c_fi.py', '2'),
            *('--work-dir', str(folder), '--auto-scale-lr', '--resume'),
            *common,
        ],
        [
            *(sys.executable, 'tools/test.py', 'c_fi.py', str(folder)),
            *('--out', f'{folder}/test', *common),
        ],
    ]


def test_command_of_neighbours(recipe, tmp_path):
    recipe.update(knn_config='knn.py', options=('a=1',))
    assert commands(recipe, neighbours=True) == [
        [
            *(sys.executable, 'tools/knn.py', 'knn.py', f'{tmp_path}/w.pth'),
            *('--out', f'{tmp_path}/out/fi_knn/test'),
            *('--data-root', 'data/FI', '--dataset', 'fi'),
        ]
    ]


def settings(recipe, root='data/FI', fraction=None, **changes):
    return Job(
        Recipe(**{**recipe, **changes}), 'fi', Path(root), fraction
    ).settings


@pytest.fixture
def made(recipe, tmp_path):
    """A folder with a result, and its settings."""
    folder = tmp_path / 'out/fi'
    write_settings(folder, settings(recipe))
    (folder / 'test').mkdir()
    (folder / 'test/metrics.json').write_text('{}')
    return folder


def refused(folder, now):
    with pytest.raises(ValueError, match='made with other') as error:
        check_settings(folder, now)
    first, *lines, last = str(error.value).splitlines()
    assert first == f'{folder}: was made with other settings:'
    assert last == f'Give another --out, or remove {folder} to make it anew'
    return [line.removeprefix('  ') for line in lines]


@pytest.mark.parametrize(
    ('changes', 'line'),
    [
        (dict(gpus=4), 'gpus: 4 (was 1)'),
        (dict(auto_scale_lr=True), 'auto_scale_lr: True (was False)'),
        (dict(fraction=0.2), 'fraction: 0.2 (was None)'),
        (
            dict(options=('optim_wrapper.optimizer.lr=1',)),
            "cfg_options: ['optim_wrapper.optimizer.lr=1'] (was [])",
        ),
    ],
)
def test_one_other_setting(recipe, made, changes, line):
    assert refused(made, settings(recipe, **changes)) == [line]


def test_other_data(recipe, made, tmp_path):
    here = Path('data/FI').resolve()
    line = f'data_root: {tmp_path}/FI (was {here})'
    assert refused(made, settings(recipe, tmp_path / 'FI')) == [line]


def test_other_weights_under_the_same_name(recipe, made, tmp_path):
    (tmp_path / 'w.pth').write_text('WEIGHTS')
    path = f'{tmp_path}/w.pth, sha256'
    assert refused(made, settings(recipe)) == [
        f'checkpoint: {path} 14422b042349 (was {path} 9a129038d9a0)'
    ]
    assert refused(made, settings(recipe, checkpoint=None)) == [
        f'checkpoint: None (was {path} 9a129038d9a0)'
    ]


def test_another_config(recipe, made, tmp_path):
    other = tmp_path / 'other.py'
    other.write_text(CONFIG + 'val_cfg = dict(fp16=True)\n')
    assert refused(made, settings(recipe, config=str(other))) == [
        f'config: {other} (was {tmp_path}/any.py)'
    ]
    other.replace(tmp_path / 'any.py')
    assert refused(made, settings(recipe)) == [
        f'config: what {tmp_path}/any.py says has changed'
    ]


def test_the_same_files_elsewhere_are_the_same(recipe, made, tmp_path):
    (tmp_path / 'w.pth').rename(tmp_path / 'moved.pth')
    (tmp_path / 'any.py').rename(tmp_path / 'moved.py')
    check_settings(
        made,
        settings(
            recipe,
            checkpoint=str(tmp_path / 'moved.pth'),
            config=str(tmp_path / 'moved.py'),
        ),
    )


def test_an_address_is_known_by_its_name(recipe, made):
    recipe['checkpoint'] = 'https://example.org/a.pth'
    write_settings(made, settings(recipe))
    check_settings(made, settings(recipe))
    recipe['checkpoint'] = 'https://example.org/b.pth'
    assert refused(made, settings(recipe)) == [
        'checkpoint: https://example.org/b.pth (was https://example.org/a.pth)'
    ]


def test_what_failed_before_it_made_anything_may_be_changed(recipe, made):
    (made / 'test/metrics.json').unlink()
    check_settings(made, settings(recipe, gpus=4))
    (made / 'epoch_1.pth').write_text('')
    assert refused(made, settings(recipe, gpus=4)) == ['gpus: 4 (was 1)']


def test_runs_of_others_are_not_gone_on_with(recipe, made):
    (made / 'job.json').unlink()
    with pytest.raises(ValueError, match=r'has no job\.json, so it'):
        check_settings(made, settings(recipe))


def test_reading_a_config_leaves_no_dataset_behind(recipe, monkeypatch):
    monkeypatch.setenv('DATASET', 'heco')
    cfg = Job(Recipe(**recipe), 'fi', Path('data/FI')).cfg
    assert cfg.train_dataloader.dataset.type == 'FI'
    assert cfg.model.head.num_classes == 8
    assert os.environ['DATASET'] == 'heco'
    monkeypatch.delenv('DATASET')
    assert settings(recipe)['config'] == recipe['config']
    assert 'DATASET' not in os.environ


@pytest.mark.parametrize('dataset', NAMED_DATASETS)
@pytest.mark.parametrize('neighbours', [False, True])
def test_the_usual_configs_are_for_the_dataset(recipe, dataset, neighbours):
    recipe.update(
        config=f'{ROOT}/configs/finetune/vit-l_uniemox_{{dataset}}.py',
        knn_config=f'{ROOT}/configs/linear_probe/vit-l_uniemox.py',
    )
    root = Path('data/x')
    cfg = Job(Recipe(**recipe), dataset, root, neighbours=neighbours).cfg
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        assert loader.dataset.type == NAMED_DATASETS[dataset].dataset.__name__
        assert loader.dataset.data_root == str(root.resolve())
