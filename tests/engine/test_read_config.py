"""Configs with what a command line says."""

import hashlib
import re

import pytest
from mmengine.config import Config

from tests.datasets.miniatures import write_miniature
from tests.helpers import ROOT
from uniemox_mm.datasets import FI
from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.engine.read_config import (
    check_classes,
    check_training,
    read_config,
    resolve_checkpoint,
    set_data_root,
    validation_note,
)
from uniemox_mm.preparation.make_splits import make_splits

FINETUNE = ROOT / 'configs/finetune/vit-l_uniemox_fi.py'
ANY = ROOT / 'configs/baselines/vit-l_mae.py'
# Built on the configs for any dataset, with a dataset of its own.
DEMO = ROOT / 'configs/finetune/vit-tiny_demo.py'


@pytest.fixture(autouse=True)
def _no_dataset_chosen(monkeypatch):
    # Set and removed, so that the variable is as before after the test.
    monkeypatch.setenv('DATASET', 'fi')
    monkeypatch.delenv('DATASET')


@pytest.mark.parametrize('name', NAMED_DATASETS)
def test_a_config_for_any_dataset(name):
    cfg = read_config(ANY, dataset=name)
    known = NAMED_DATASETS[name].dataset
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.type == known.__name__
        assert dataset.split == split
        assert dataset.data_root == f'data/{NAMED_DATASETS[name].folders[0]}'
    assert cfg.model.head.num_classes == len(known.METAINFO['classes'])
    assert cfg.data_preprocessor.num_classes == cfg.model.head.num_classes
    assert cfg.work_dir == f'work_dirs/vit-l_mae_{name}'
    own = read_config(ROOT / f'configs/finetune/vit-l_uniemox_{name}.py')
    assert own.train_dataloader == cfg.train_dataloader
    assert own.optim_wrapper == cfg.optim_wrapper
    assert own.model == cfg.model


def test_data_root_goes_everywhere():
    cfg = read_config(FINETUNE, data_root='elsewhere')
    roots = [
        cfg[f'{s}_dataloader'].dataset.data_root
        for s in ('train', 'val', 'test')
    ]
    assert roots == ['elsewhere'] * 3
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', dataset=cfg.train_dataloader.dataset, times=2
    )
    set_data_root(cfg, 'inside')
    assert cfg.train_dataloader.dataset.dataset.data_root == 'inside'
    with pytest.raises(ValueError, match='no data loaders, so no data_root'):
        set_data_root(Config(dict(model=dict())), 'x')


def test_options_go_last():
    cfg = read_config(
        FINETUNE,
        {'test_dataloader.dataset.data_root': 'b'},
        data_root='a',
    )
    assert cfg.train_dataloader.dataset.data_root == 'a'
    assert cfg.test_dataloader.dataset.data_root == 'b'


@pytest.mark.parametrize(
    ('path', 'dataset', 'message'),
    [
        (FINETUNE, 'emo8', 'is for one dataset, so --dataset emo8 would have'),
        (DEMO, 'fi', 'is for one dataset, so --dataset fi would have no'),
        (ANY, 'imagenet', "there is no dataset 'imagenet'"),
        (ANY, 'imagenet', 'expected one of ube, fi, emotion6, emo8, caers, '),
    ],
)
def test_datasets_that_cannot_be_chosen(path, dataset, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_config(path, dataset=dataset)


def test_the_dataset_that_a_config_sets_itself():
    assert read_config(DEMO, dataset='emo8').test_dataloader.dataset == (
        read_config(DEMO).test_dataloader.dataset
    )


def test_a_dataset_of_only_some_loaders_is_refused(tmp_path):
    path = tmp_path / 'c.py'
    path.write_text(
        f"_base_ = '{ANY}'\nval_dataloader = dict(dataset=dict(type='FI'))\n"
    )
    read_config(path, dataset='fi')
    with pytest.raises(ValueError, match='so --dataset emo8 would have no'):
        read_config(path, dataset='emo8')


def test_a_missing_config(tmp_path):
    path = tmp_path / 'c.py'
    with pytest.raises(FileNotFoundError, match=re.escape(f'{path}: no such')):
        read_config(path)


@pytest.mark.parametrize(
    ('setting', 'value', 'message'),
    [
        (
            'model.head.num_classes',
            6,
            'model.head.num_classes is 6, but FI in '
            'train_dataloader has 8 classes',
        ),
        (
            'data_preprocessor.num_classes',
            7,
            'data_preprocessor.num_classes '
            'is 7, but FI in train_dataloader has 8 classes',
        ),
        (
            'val_dataloader.dataset.type',
            'Emotion6',
            'model.head.num_classes '
            'is 8, but Emotion6 in val_dataloader has 6 classes',
        ),
    ],
)
def test_another_number_of_classes_is_refused(setting, value, message):
    with pytest.raises(ValueError, match=f'^{re.escape(message)}$'):
        read_config(FINETUNE, {setting: value})


def test_polarities_are_counted():
    path = ROOT / 'configs/finetune/vit-l_uniemox_emoset.py'
    cfg = Config.fromfile(path)
    for loader in ('train', 'val', 'test'):
        cfg[f'{loader}_dataloader'].dataset.num_classes = 2
    with pytest.raises(ValueError, match=r'is 8, but EmoSet .* has 2 classes'):
        check_classes(cfg)
    cfg.model.head.num_classes = cfg.data_preprocessor.num_classes = 2
    check_classes(cfg)


def test_which_checkpoint_is_meant(tmp_path):
    names = ('epoch_8.pth', 'epoch_10.pth', 'best_accuracy_top1_epoch_9.pth')
    for name in names[:2]:
        (tmp_path / name).touch()
    folder = str(tmp_path)
    assert resolve_checkpoint(folder) == f'{folder}/epoch_10.pth'
    for name in ('best_accuracy_top1_epoch_7.pth', names[2]):
        (tmp_path / name).touch()
    assert resolve_checkpoint(folder) == f'{folder}/{names[2]}'
    file = f'{folder}/epoch_8.pth'
    assert resolve_checkpoint(file) == file
    address = 'https://example.org/a.pth'
    assert resolve_checkpoint(address) == address
    with pytest.raises(FileNotFoundError, match=r'x\.pth: no such checkpoint'):
        resolve_checkpoint(f'{folder}/x.pth')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='empty: holds no checkpoint'):
        resolve_checkpoint(f'{folder}/empty')


def test_a_run_without_validation_is_told():
    cfg = read_config(FINETUNE)
    assert validation_note(cfg) == ''
    cfg.val_dataloader = None
    assert validation_note(cfg) == (
        'There is no validation (val_dataloader is None), so no best epoch '
        'will be chosen: tools/test.py will take the last one.'
    )
    pretraining = ROOT / 'configs/uniemox_vit-l_pretrain.py'
    assert validation_note(read_config(pretraining)) == ''


@pytest.mark.parametrize(
    ('trained', 'tested', 'message'),
    [
        (dict(classes=['a', 'b']), dict(classes=('b', 'a')), 'on the classes '
         'a, b, but would be tested on b, a'),
        (dict(split_id='FI by seed 42'), dict(split_id='FI by seed 1'),
         'it was trained on FI by seed 42 and would be tested on FI by seed 1,'
         ' with images that it may have seen'),
    ],
)  # fmt: skip
def test_a_test_on_what_was_trained_on_is_refused(trained, tested, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_training(trained, tested)
    check_training(trained, trained)
    check_training({}, tested)
    check_training(dict(split_id='Emo8 by seed 42'), tested)


def test_the_division_is_known_to_the_dataset(tmp_path):
    write_miniature('FI', tmp_path)

    def division(**settings):
        dataset = FI(str(tmp_path), serialize_data=False, **settings)
        return dataset.metainfo['split_id']

    assert division() == division(split='test') == 'FI by seed 42'
    assert division(split_seed=3) == 'FI by seed 3'
    make_splits('FI', tmp_path)
    files = [tmp_path / f'{s}.json' for s in ('train', 'val', 'test')]
    digest = hashlib.sha256(b''.join(f.read_bytes() for f in files))
    assert division() == f'FI by files {digest.hexdigest()}'
    assert division(split='val') == division()
