"""Sources of config, weights and classes, and checkpoints refused."""

import logging
import re
import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests.apis.classifiers import build_model, expected_scores, photo
from tests.helpers import EMO_MAE, Malicious, build, tiny_config
from uniemox_mm import EmotionInferencer
from uniemox_mm.apis import load_model
from uniemox_mm.apis.load_model import build_model as build_of_config
from uniemox_mm.apis.load_model import check_classifies
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.export.export_model import export_model
from uniemox_mm.weights.checked_loading import MisfitError

NAMES = tuple('abcdefgh')


def save(path, model, **more):
    path.parent.mkdir(exist_ok=True)
    torch.save(dict(state_dict=model.state_dict(), **more), path)
    return path


@pytest.fixture
def pretrained(tmp_path):
    """A work dir of pretraining, whose checkpoint names its classes."""
    model = build(EMO_MAE)
    model.init_weights()
    work_dir = tmp_path / 'pretraining'
    meta = dict(dataset_meta=dict(classes=NAMES))
    save(work_dir / 'epoch_1.pth', model, meta=meta)
    tiny_config('data', tmp_path).dump(work_dir / 'pretraining.py')
    return work_dir


def assert_same_weights(model, path, prefix=''):
    stored = torch.load(path, weights_only=True)['state_dict']
    stored = {k: v for k, v in stored.items() if k.startswith(prefix)}
    assert stored
    for key, value in stored.items():
        assert torch.equal(model.state_dict()[key], value)


def test_work_dir_file_and_config_give_the_same_model(work_dir):
    config, path = work_dir / 'ft.py', work_dir / 'epoch_3.pth'
    for arguments in (
        (work_dir,),
        (str(path),),
        (path, config),
        (path, Config.fromfile(config)),
    ):
        model = load_model(*arguments)
        assert not model.training
        assert model._checkpoint == str(path)
        assert model._dataset_meta == dict(classes=EMOSET_CATEGORIES)
        assert model._config.filename == str(config)
        assert_same_weights(model, path)


def test_best_on_val_is_taken(own):
    content = torch.load(own / 'epoch_3.pth')
    content['state_dict']['head.fc.bias'][5] += 1000
    best = own / 'best_accuracy_top1_epoch_2.pth'
    torch.save(content, best)
    assert_same_weights(load_model(own), best)


def test_pretraining_is_loaded_whole_without_its_teacher(pretrained):
    model = load_model(pretrained)
    assert type(model).__name__ == 'EmoMAE' and not model.training
    assert model._dataset_meta == {}
    assert_same_weights(model, pretrained / 'epoch_1.pth')
    content = torch.load(pretrained / 'epoch_1.pth')
    assert content['state_dict'].keys() == model.state_dict().keys()
    for key in [k for k in content['state_dict'] if k.startswith('fusion.')]:
        del content['state_dict'][key]
    torch.save(content, pretrained / 'epoch_1.pth')
    with pytest.raises(MisfitError, match=r'epoch_1.*missing: fusion'):
        load_model(pretrained)


def test_backbone_takes_the_encoder_of_any_checkpoint(work_dir, pretrained):
    config = work_dir / 'ft.py'
    for path in (pretrained / 'epoch_1.pth', work_dir / 'epoch_3.pth'):
        model = load_model(path, config, part='backbone')
        # Not the classes of the checkpoint of pretraining.
        assert model._dataset_meta == dict(classes=EMOSET_CATEGORIES)
        report = model._encoder_report
        assert 'head.fc.weight' in report.fresh
        for key in report.left_out:
            assert key not in model.state_dict()
        stored = torch.load(path)['state_dict']
        taken = [k for k in stored if k.startswith('backbone.')]
        assert report.loaded == len(taken) - len(report.left_out)
        for key in set(taken) - set(report.left_out):
            assert torch.equal(model.state_dict()[key], stored[key])


def test_backbone_follows_the_hook_of_the_config(own, pretrained):
    cfg = Config.fromfile(own / 'ft.py')
    path = pretrained / 'epoch_1.pth'
    content = torch.load(path)
    del content['state_dict']['backbone.cls_token']
    torch.save(content, path)
    with pytest.raises(MisfitError, match=r'epoch_1.*missing: .*cls_token'):
        load_model(path, cfg, part='backbone')
    cfg.default_hooks.encoder_weights.fresh = ['cls_token']
    report = load_model(path, cfg, part='backbone')._encoder_report
    assert 'backbone.cls_token' in report.fresh


def test_export_needs_no_config(work_dir, model, tmp_path):
    target = tmp_path / 'emotions.safetensors'
    export_model(load_model(work_dir), target, 'safetensors')
    infer = EmotionInferencer(target, device='cpu')
    assert infer.classes == EMOSET_CATEGORIES
    (result,) = infer(photo()[..., ::-1])
    expected = expected_scores(model, photo())
    np.testing.assert_allclose(result['pred_scores'], expected, atol=1e-6)


def test_config_is_not_changed():
    pixels = dict(mean=[1.0], std=[2.0])
    config = Config(dict(model=EMO_MAE, data_preprocessor=pixels))
    before = config.to_dict()
    build_of_config(config)
    assert config.to_dict() == before


def test_silence_of_the_caller_is_kept(work_dir):
    logging.disable(logging.ERROR)
    try:
        load_model(work_dir)
        assert logging.root.manager.disable == logging.ERROR
    finally:
        logging.disable(logging.NOTSET)


def test_config_inside_a_checkpoint_is_never_run(own, tmp_path):
    trap = tmp_path / 'trap'
    code = f'open({str(trap)!r}, "w")\n'
    path = own / 'epoch_3.pth'
    content = torch.load(path)
    content['meta']['cfg'] = code + (own / 'ft.py').read_text()
    torch.save(content, path)
    load_model(own)
    (own / 'ft.py').unlink()
    with pytest.raises(FileNotFoundError, match=f'{path}: .*no config beside'):
        load_model(own)
    assert not trap.exists()


def test_code_in_a_checkpoint_is_never_run(own, tmp_path):
    path, trap = own / 'epoch_3.pth', tmp_path / 'trap'
    torch.save(dict(state_dict={}, meta=Malicious(trap)), path)
    with pytest.raises(ValueError, match=f'{path}: .*nothing was loaded'):
        load_model(own)
    assert not trap.exists()


def test_missing_and_ambiguous_files(own, tmp_path):
    for path, problem in (
        (tmp_path / 'gone.pth', 'no such checkpoint'),
        (tmp_path, 'holds no checkpoint'),
    ):
        with pytest.raises(FileNotFoundError, match=f'{path}: {problem}'):
            load_model(path)
    gone = tmp_path / 'gone.py'
    with pytest.raises(FileNotFoundError, match=f'{gone}: no such config'):
        load_model(own, gone)
    with pytest.raises(ValueError, match=r'https://x.org/a.pth: .*address'):
        load_model('https://x.org/a.pth')
    shutil.copy(own / 'ft.py', own / 'other.py')
    with pytest.raises(ValueError, match=r'epoch_3.*several.*ft.py, other'):
        load_model(own)


def test_config_that_cannot_be_built(own):
    cfg = Config.fromfile(own / 'ft.py')
    cfg.model.head.num_class = cfg.model.head.pop('num_classes')
    with pytest.raises(ValueError, match=r'ft.py: .*be built \(TypeError'):
        load_model(own, cfg)
    del cfg.model['type']
    with pytest.raises(ValueError, match=r'ft.py: has no model with a type'):
        load_model(own, cfg)


def test_weights_that_do_not_fit(own, pretrained):
    """The file, the number of keys, their names and shapes are given."""
    path, config = own / 'epoch_3.pth', own / 'ft.py'
    cfg = Config.fromfile(config)
    cfg.model.backbone.arch.embed_dims = cfg.model.head.in_channels = 16
    save(path, build_model(cfg))
    shapes = re.escape('cls_token: checkpoint (1, 1, 16), model (1, 1, 32)')
    with pytest.raises(MisfitError, match=f'{path}: 29 keys .*{shapes}'):
        load_model(own)
    encoder = pretrained / 'epoch_1.pth'
    message = f'{encoder}: 4 keys missing: backbone.ln2.*--load-from first'
    with pytest.raises(MisfitError, match=message):
        load_model(encoder, config)
    with pytest.raises(MisfitError, match=f'{path}: .* do not fit EmoMAE'):
        load_model(path, pretrained / 'pretraining.py')


def test_only_classifiers_with_a_pipeline_pass(own, pretrained):
    check_classifies(load_model(own))
    message = f'pretraining.py: EmoMAE does not .*{pretrained}/epoch_1.pth'
    with pytest.raises(ValueError, match=message):
        check_classifies(load_model(pretrained))
    cfg = Config.fromfile(own / 'ft.py')
    cfg.test_dataloader = None
    with pytest.raises(ValueError, match=r'ft.py: has no test_dataloader'):
        check_classifies(load_model(own, cfg))


def test_classes_are_given_or_of_the_checkpoint_or_of_the_config(own):
    path = own / 'epoch_3.pth'
    content = torch.load(path)
    content['meta']['dataset_meta']['classes'] = NAMES
    torch.save(content, path)

    def classes(**options):
        return load_model(own, **options)._dataset_meta['classes']

    assert classes() == NAMES
    other = tuple('ABCDEFGH')
    assert classes(classes=other) == other
    with pytest.raises(ValueError, match=r'another order, h, g, .*: a, b, c'):
        classes(classes=NAMES[::-1])
    torch.save(content['state_dict'], path)
    assert classes() == EMOSET_CATEGORIES
    cfg = Config.fromfile(own / 'ft.py')
    cfg.test_dataloader.dataset.metainfo = dict(classes=NAMES)
    assert classes(config=cfg) == NAMES
    pipeline = cfg.test_dataloader.dataset.pipeline
    cfg.test_dataloader.dataset = dict(type='CustomDataset', pipeline=pipeline)
    with pytest.raises(ValueError, match=r'neither .* names the classes'):
        classes(config=cfg)
    found = load_model(own, cfg, part='backbone')
    assert found._dataset_meta == {}


@pytest.mark.parametrize(
    ('meta', 'message'),
    [
        (3, '{path}: its meta is 3'),
        (dict(dataset_meta=[5]), r'{path}: its dataset_meta is \[5\]'),
        (
            dict(dataset_meta=dict(classes='abcdefgh')),
            "list of class names.*'abcdefgh'",
        ),
        (dict(dataset_meta=dict(classes=[*range(8)])), r'names.*\[0, 1, 2'),
        (dict(dataset_meta=dict(classes=[*'abcdefg', ' '])), "names.*'g', "),
        (dict(dataset_meta=dict(classes=['joy', 'joy'])), '8 classes.* 1 '),
        (dict(dataset_meta=dict(classes=['joy', 'awe'])), '8 classes.* 2 '),
    ],
)
def test_classes_of_a_checkpoint_are_checked(own, meta, message):
    path = own / 'epoch_3.pth'
    torch.save(dict(torch.load(path), meta=meta), path)
    with pytest.raises(ValueError, match=message.format(path=path)):
        load_model(own)
