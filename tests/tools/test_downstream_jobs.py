"""Commands of a run, and the settings that its results are kept with."""

import os
import sys
from pathlib import Path

import pytest
from downstream_jobs import Job, Recipe, find_folders

from tests.helpers import ROOT
from tests.tools.stand_ins import CONFIG
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
    return [command for _, command in job.commands()]


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


def test_command_of_knn(recipe, tmp_path):
    recipe.update(knn_config='knn.py', options=('a=1',))
    assert commands(recipe, knn=True) == [
        [
            *(sys.executable, 'tools/knn.py', 'knn.py', f'{tmp_path}/w.pth'),
            *('--out', f'{tmp_path}/out/fi_knn/test'),
            *('--data-root', 'data/FI', '--dataset', 'fi'),
        ]
    ]


def job_of(recipe, root='data/FI', fraction=None, **changes):
    """A job in the same folder, whatever the fraction."""
    job = Job(Recipe(**{**recipe, **changes}), 'fi', Path(root), fraction)
    if fraction is not None:
        job.__dict__['settings'] = job.settings
        object.__setattr__(job, 'fraction', None)
    return job


@pytest.fixture
def made(recipe):
    """A job with a result."""
    job = job_of(recipe)
    job.write_settings()
    (job.folder / 'test').mkdir()
    (job.folder / 'test/metrics.json').write_text('{}')
    job.check_settings()
    return job


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(gpus=4), 'gpus was 1 and is 4'),
        (dict(auto_scale_lr=True), 'auto_scale_lr was False and is True'),
        (dict(fraction=0.2), 'fraction was None and is 0.2'),
        (
            dict(options=('optim_wrapper.optimizer.lr=1',)),
            r"cfg_options was \[\] and is \['optim_wrapper.optimizer.lr=1'\]",
        ),
        (dict(root='other/FI'), 'data_root was .*data/FI.*other/FI'),
        (dict(checkpoint=None), 'weights was .* and is None'),
    ],
)
def test_other_settings_are_refused(recipe, made, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        job_of(recipe, **changes).check_settings()
    assert f'remove {made.folder}' in str(error.value)


def test_other_content_of_the_same_files_is_refused(recipe, made, tmp_path):
    (tmp_path / 'w.pth').write_text('WEIGHTS')
    with pytest.raises(ValueError, match='weights was'):
        job_of(recipe).check_settings()
    (tmp_path / 'w.pth').write_text('weights')
    job_of(recipe).check_settings()
    (tmp_path / 'any.py').write_text(CONFIG + 'val_cfg = dict(fp16=True)\n')
    with pytest.raises(ValueError, match='config_sha256 was'):
        job_of(recipe).check_settings()


def test_moved_files_are_the_same(recipe, made, tmp_path):
    (tmp_path / 'w.pth').rename(tmp_path / 'moved.pth')
    (tmp_path / 'any.py').rename(tmp_path / 'moved.py')
    job_of(
        recipe,
        checkpoint=str(tmp_path / 'moved.pth'),
        config=str(tmp_path / 'moved.py'),
    ).check_settings()


def test_an_address_is_known_by_its_name(recipe, made):
    recipe['checkpoint'] = 'https://example.org/a.pth'
    job_of(recipe).write_settings()
    job_of(recipe).check_settings()
    recipe['checkpoint'] = 'https://example.org/b.pth'
    with pytest.raises(ValueError, match=r'a\.pth.*b\.pth'):
        job_of(recipe).check_settings()


def test_failed_runs_without_a_checkpoint_may_be_changed(recipe, made):
    (made.folder / 'test/metrics.json').unlink()
    job_of(recipe, gpus=4).check_settings()
    (made.folder / 'epoch_1.pth').write_text('')
    with pytest.raises(ValueError, match='gpus was 1'):
        job_of(recipe, gpus=4).check_settings()


def test_runs_without_settings_are_refused(recipe, made):
    (made.folder / 'job.json').unlink()
    with pytest.raises(ValueError, match=r'has no job\.json'):
        made.check_settings()


def test_reading_a_config_restores_the_environment(recipe, monkeypatch):
    monkeypatch.setenv('DATASET', 'heco')
    cfg = Job(Recipe(**recipe), 'fi', Path('data/FI')).cfg
    assert cfg.train_dataloader.dataset.type == 'FI'
    assert cfg.model.head.num_classes == 8
    assert os.environ['DATASET'] == 'heco'
    monkeypatch.delenv('DATASET')
    assert job_of(recipe).settings['fraction'] is None
    assert 'DATASET' not in os.environ


@pytest.mark.parametrize('dataset', NAMED_DATASETS)
@pytest.mark.parametrize('knn', [False, True])
def test_the_usual_configs_are_for_the_dataset(recipe, dataset, knn):
    recipe.update(
        config=f'{ROOT}/configs/finetune/vit-l_uniemox_{{dataset}}.py',
        knn_config=f'{ROOT}/configs/linear_probe/vit-l_uniemox.py',
    )
    root = Path('data/x')
    cfg = Job(Recipe(**recipe), dataset, root, knn=knn).cfg
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        assert loader.dataset.type == NAMED_DATASETS[dataset].dataset.__name__
        assert loader.dataset.data_root == str(root.resolve())


def test_folders_are_found_in_any_case(tmp_path):
    for name in ('fi', 'UNBIASEDEMOTION', 'Ube', 'emoset', 'emoset-118k'):
        (tmp_path / name).mkdir()
    (tmp_path / 'HECO').write_text('')
    (tmp_path / 'Emo80').mkdir()
    assert find_folders(tmp_path) == dict(
        ube=tmp_path / 'UNBIASEDEMOTION',
        fi=tmp_path / 'fi',
        emoset=tmp_path / 'emoset-118k',
    )
