"""Where config, weights and classes come from, and what is refused."""

import logging
import shutil

import numpy as np
import torch
from mmengine.config import Config

from tests.apis.classifiers import (
    build_model,
    expected_scores,
    photo,
    refusal,
    write_work_dir,
)
from tests.helpers import EMO_MAE, build, tiny_config
from uniemox_mm import EmotionInferencer
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.export.export_checkpoint import export_checkpoint
from uniemox_mm.export.trained_model import read_trained


def test_work_dir_file_and_config_are_the_same(work_dir, model):
    expected = expected_scores(model, photo())
    config = work_dir / 'ft.py'
    for arguments in (
        (work_dir,),
        (str(work_dir / 'epoch_3.pth'),),
        (work_dir / 'epoch_3.pth', config),
        (work_dir / 'epoch_3.pth', Config.fromfile(config)),
    ):
        infer = EmotionInferencer(*arguments, device='cpu')
        (result,) = infer(photo()[..., ::-1])
        np.testing.assert_allclose(result['pred_scores'], expected, atol=1e-6)


def test_the_best_on_val_is_taken(own):
    content = torch.load(own / 'epoch_3.pth')
    content['state_dict']['head.fc.bias'][5] += 1000
    torch.save(content, own / 'best_accuracy_top1_epoch_2.pth')
    (result,) = EmotionInferencer(own, device='cpu')(photo())
    assert result['pred_class'] == 'disgust'


def test_silence_of_the_caller_is_kept(work_dir):
    logging.disable(logging.ERROR)
    try:
        EmotionInferencer(work_dir, device='cpu')
        export = read_trained(work_dir)
        assert logging.root.manager.disable == logging.ERROR
    finally:
        logging.disable(logging.NOTSET)
    assert export.classes == EMOSET_CATEGORIES


def test_an_address_is_not_read():
    address = 'https://x.org/a.pth'
    assert refusal(ValueError, address) == (
        f'{address}: is an address, which is not read; download the '
        'checkpoint and give its path'
    )


def test_a_config_that_cannot_be_built(own):
    cfg = Config.fromfile(own / 'ft.py')
    cfg.model.head.num_class = cfg.model.head.pop('num_classes')
    text = refusal(ValueError, own, cfg)
    assert text.startswith(
        'the config: its model cannot be built (TypeError: '
    )
    del cfg.model['type']
    assert refusal(ValueError, own, cfg) == (
        'the config: has no model with a type; expected a config such as '
        'those in configs/finetune'
    )


def test_the_config_inside_of_a_checkpoint_is_never_run(own, tmp_path):
    trap = tmp_path / 'trap'
    code = f'open({str(trap)!r}, "w")\n'
    path = own / 'epoch_3.pth'
    content = torch.load(path)
    content['meta']['cfg'] = code + (own / 'ft.py').read_text()
    torch.save(content, path)
    EmotionInferencer(own, device='cpu')(photo())
    (own / 'ft.py').unlink()
    assert refusal(FileNotFoundError, own) == (
        f'{path}: there is no config beside it (*.py); name the config that '
        'it was trained with (config=..., --config ...)'
    )
    assert not trap.exists()


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_code_in_a_checkpoint_is_never_run(own, tmp_path):
    path = own / 'epoch_3.pth'
    torch.save(dict(state_dict={}, meta=Trap(tmp_path / 'trap')), path)
    text = refusal(ValueError, own)
    assert text.startswith(f'{path}: not a checkpoint of plain weights, so')
    assert not (tmp_path / 'trap').exists()


def test_what_is_missing(own, tmp_path):
    gone = tmp_path / 'gone.pth'
    assert refusal(FileNotFoundError, gone) == f'{gone}: no such checkpoint'
    assert refusal(FileNotFoundError, tmp_path) == (
        f'{tmp_path}: holds no checkpoint (best_*.pth or epoch_*.pth)'
    )
    config = tmp_path / 'gone.py'
    text = refusal(FileNotFoundError, own, config)
    assert text == f'{config}: no such config'
    shutil.copy(own / 'ft.py', own / 'other.py')
    assert refusal(ValueError, own) == (
        f'{own}/epoch_3.pth: there are several configs beside it (ft.py, '
        'other.py); name the one that it was trained with (config=..., '
        '--config ...)'
    )


def test_pretraining_is_told_apart(own, tmp_path):
    pretrained = tmp_path / 'pretraining' / 'epoch_1.pth'
    pretrained.parent.mkdir()
    torch.save(dict(state_dict=build(EMO_MAE).state_dict()), pretrained)
    text = refusal(ValueError, pretrained, own / 'ft.py')
    assert text.startswith(f'{pretrained}: keys 4 missing: backbone.ln2.')
    assert text.endswith(
        'A pretrained encoder cannot classify yet: train with it as '
        '--load-from first'
    )
    config = pretrained.with_name('pretraining.py')
    tiny_config('data', tmp_path).dump(config)
    assert refusal(ValueError, pretrained.parent) == (
        f'{config}: EmoMAE does not classify. A pretrained encoder knows no '
        'emotions yet: train a classifier of the same architecture with it '
        f'first (python tools/train.py CONFIG --load-from {pretrained}; for '
        'ViT-L configs/finetune/vit-l_uniemox_fi.py), or ask CLIP, which '
        'needs no training (ZeroShotEmotionInferencer, --zero-shot)'
    )


def test_a_config_without_a_usable_pipeline(own):
    cfg = Config.fromfile(own / 'ft.py')
    path = own / 'epoch_3.pth'
    cfg.test_dataloader.dataset.pipeline.pop(0)
    assert refusal(ValueError, path, cfg) == (
        'expected a test pipeline that begins with LoadEmotionImage or '
        "LoadImageFromFile, but got ['ResizeEdge', 'CenterCrop', "
        "'PackInputs']"
    )
    cfg.test_dataloader = None
    text = refusal(ValueError, path, cfg)
    assert text.startswith('the config: has no test_dataloader, whose')


def test_the_loader_of_the_config_is_used(own):
    """Another smallest size, and JPEGs decoded smaller."""
    from PIL import Image

    cfg = Config.fromfile(own / 'ft.py')
    load = cfg.test_dataloader.dataset.pipeline[0]
    load.update(min_size=4, decode_short_side=36)
    infer = EmotionInferencer(own / 'epoch_3.pth', cfg, device='cpu')
    assert 'error' not in infer(photo()[:5])[0]
    path = own / 'large.jpg'
    Image.fromarray(photo(1, 320, 480)).save(path)
    boxes = [[0, 0, 400, 300, 1]]
    (result,) = infer(path, persons=[boxes])
    with Image.open(path) as image:
        image.draft(None, (60, 40))
        assert image.size == (60, 40)
        small = np.asarray(image)
    np.testing.assert_allclose(
        result['pred_scores'],
        expected_scores(infer.model, small),
        atol=1e-6,
    )
    np.testing.assert_array_equal(result['persons'], boxes)
    assert infer.pipeline.read.whole(infer._inputs_to_list(path)[0]).shape == (
        320,
        480,
        3,
    )


def test_an_export_needs_no_config(work_dir, model, tmp_path):
    target = tmp_path / 'emotions.safetensors'
    export_checkpoint(work_dir, target, 'safetensors')
    infer = EmotionInferencer(target, device='cpu')
    assert infer.classes == EMOSET_CATEGORIES
    (result,) = infer(photo()[..., ::-1])
    np.testing.assert_allclose(
        result['pred_scores'], expected_scores(model, photo()), atol=1e-6
    )


def test_weights_of_another_architecture(own, tmp_path):
    cfg = Config.fromfile(own / 'ft.py')
    cfg.model.backbone.arch.embed_dims = 16
    cfg.model.head.in_channels = 16
    path = own / 'epoch_3.pth'
    torch.save(dict(state_dict=build_model(cfg).state_dict()), path)
    assert refusal(ValueError, own) == (
        f'{path}: 29 of 32 tensors have other shapes (backbone.cls_token (1, '
        '1, 16), config (1, 1, 32)): the config is of another architecture'
    )
    fresh = write_work_dir(tmp_path / 'fresh')
    EmotionInferencer(fresh, device='cpu')
