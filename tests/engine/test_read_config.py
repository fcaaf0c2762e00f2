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
def test_config_for_any_dataset(name):
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
        (FINETUNE, 'emo8', 'is for one dataset, so --dataset emo8'),
        (DEMO, 'fi', 'is for one dataset, so --dataset fi'),
        (ANY, 'imagenet', "no dataset 'imagenet'"),
        (ANY, 'imagenet', 'one of ube, fi, emotion6, emo8, caers, '),
    ],
)
def test_dataset_without_effect_or_unknown(path, dataset, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_config(path, dataset=dataset)


def test_dataset_of_the_config_itself():
    assert read_config(DEMO, dataset='emo8').test_dataloader.dataset == (
        read_config(DEMO).test_dataloader.dataset
    )


def test_dataset_of_some_loaders_only_is_refused(tmp_path):
    path = tmp_path / 'c.py'
    path.write_text(
        f"_base_ = '{ANY}'\nval_dataloader = dict(dataset=dict(type='FI'))\n"
    )
    read_config(path, dataset='fi')
    with pytest.raises(ValueError, match='so --dataset emo8 would have no'):
        read_config(path, dataset='emo8')


def test_missing_config(tmp_path):
    path = tmp_path / 'c.py'
    with pytest.raises(FileNotFoundError, match=re.escape(f'{path}: no such')):
        read_config(path)


@pytest.mark.parametrize(
    ('setting', 'value', 'message'),
    [
        ('model.head.num_classes', 6, 'model.head.* 6, .*FI in train.* 8 '),
        ('data_preprocessor.num_classes', 7, 'data_pre.* 7, .*FI in tr.* 8 '),
        ('val_dataloader.dataset.type', 'Emotion6', 'head.* 8, .*in val.* 6 '),
    ],
)
def test_another_number_of_classes_is_refused(setting, value, message):
    with pytest.raises(ValueError, match=message):
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


def test_resolve_checkpoint(tmp_path):
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


def test_missing_validation_is_reported():
    cfg = read_config(FINETUNE)
    assert validation_note(cfg) == ''
    cfg.val_dataloader = None
    assert 'val_dataloader is None' in validation_note(cfg)
    pretraining = ROOT / 'configs/uniemox_vit-l_pretrain.py'
    assert validation_note(read_config(pretraining)) == ''


@pytest.mark.parametrize(
    ('trained', 'tested', 'message'),
    [
        (dict(classes=['a', 'b']), dict(classes=('b', 'a')), 'a, b, .* b, a'),
        (dict(split_id='FI by seed 42'), dict(split_id='FI by seed 1'),
         'trained on FI by seed 42 .* tested on FI by seed 1'),
    ],
)  # fmt: skip
def test_test_on_training_images_is_refused(trained, tested, message):
    with pytest.raises(ValueError, match=message):
        check_training(trained, tested)
    check_training(trained, trained)
    check_training({}, tested)
    check_training(dict(split_id='Emo8 by seed 42'), tested)


def test_split_id_of_the_dataset(tmp_path):
    write_miniature('FI', tmp_path)

    def split_id(**settings):
        dataset = FI(str(tmp_path), serialize_data=False, **settings)
        return dataset.metainfo['split_id']

    assert split_id() == split_id(split='test') == 'FI by seed 42'
    assert split_id(split_seed=3) == 'FI by seed 3'
    make_splits('FI', tmp_path)
    files = [tmp_path / f'{s}.json' for s in ('train', 'val', 'test')]
    digest = hashlib.sha256(b''.join(f.read_bytes() for f in files))
    assert split_id() == f'FI by files {digest.hexdigest()}'
    assert split_id(split='val') == split_id()
