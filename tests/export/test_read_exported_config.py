"""The JSON of an export can neither run, read nor download anything."""

import json
from functools import partial, reduce
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from tests.helpers import ROOT
from tests.weights.comparing import CLASSES, logits
from uniemox_mm import EmotionInferencer
from uniemox_mm.apis.load_model import build_model
from uniemox_mm.export.description import describe_preprocessing
from uniemox_mm.export.read_exported_config import (
    ALLOWED_TYPES,
    read_exported_config,
)

CONFIGS = [
    *sorted(ROOT.glob('configs/baselines/*.py')),
    ROOT / 'configs/finetune/vit-l_uniemox_fi.py',
    ROOT / 'configs/finetune/vit-tiny_demo.py',
    ROOT / 'configs/linear_probe/vit-b_uniemox.py',
]


@pytest.mark.parametrize(
    'path', CONFIGS, ids=lambda path: f'{path.parent.name}/{path.stem}'
)
def test_every_classifier_of_this_project_can_be_read(
    path, tmp_path, monkeypatch
):
    config = Config.fromfile(path)
    plain = config.to_dict()
    kept = {k: plain[k] for k in ('model', 'data_preprocessor') if k in plain}
    content = dict(
        task='classification',
        classes=CLASSES,
        config=kept,
        preprocessing=dict(
            resize_short_edge=256,
            center_crop=224,
            interpolation='bicubic',
            library='pillow',
        ),
    )
    (tmp_path / 'a.json').write_text(json.dumps(content))
    # Rates of drop path have to be real numbers, weights need not.
    on_cpu = partial(torch.linspace, device='cpu')
    monkeypatch.setattr(torch, 'linspace', on_cpu)
    with torch.device('meta'):
        expected = build_model(config)
        read = read_exported_config(tmp_path / 'a.json')
        found = build_model(read)
    # The loss and how to start are for training.
    expected.head.loss_module = found.head.loss_module = None
    for part in (*expected.modules(), *found.modules()):
        if hasattr(part, 'init_cfg'):
            part.init_cfg = None
    assert str(found) == str(expected)
    # Of the numbers there are no values on this device.
    assert read.data_preprocessor == config.data_preprocessor


@pytest.mark.parametrize('name', sorted(ALLOWED_TYPES))
def test_allowed_types_are_registered_modules(name):
    """Otherwise MMEngine would import a module of this name."""
    kind = MODELS.get(name)
    assert issubclass(kind, torch.nn.Module)
    assert kind.__module__.startswith(
        ('mmpretrain.models.', 'torch.nn.modules.', 'mmengine.')
    )


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A file that is there as soon as the package ``evilpkg`` is imported."""
    package, trap = tmp_path / 'evilpkg', tmp_path / 'executed'
    package.mkdir()
    code = f'open({str(trap)!r}, "w")\n'
    for name in ('__init__.py', 'registry.py'):
        (package / name).write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    return trap


@pytest.fixture
def change(classifier, export):
    """Exports with one entry of the JSON changed."""
    target, beside = export(classifier, 'c.safetensors', 'safetensors')
    original = beside.read_text()

    def write(place, value):
        content = json.loads(original)
        *way, last = place.split('.')
        reduce(dict.__getitem__, way, content)[last] = value
        beside.write_text(json.dumps(content))
        return target

    return write


def refusal(target):
    with pytest.raises(ValueError) as error:
        EmotionInferencer(target, device='cpu')
    text = str(error.value)
    assert text.startswith(f'{target}.json: ')
    return text.removeprefix(f'{target}.json: ')


MODEL = 'config.model'
BACKBONE = f'{MODEL}.backbone'
DEEP: dict = {}
for _ in range(20):
    DEEP = dict(type='ImageClassifier', backbone=DEEP)
BURIED = dict(type='LN', layers=[dict(act=dict(type='evilpkg'))])
CODE = "a': __import__('evilpkg'), 'b"


@pytest.mark.parametrize(
    ('place', 'value', 'named'),
    [
        # keys of MMEngine, and what is code in a config that is dumped
        (f'{MODEL}._scope_', 'evilpkg', '_scope_'),
        (f'{BACKBONE}._scope_', 'evilpkg', 'backbone._scope_'),
        (f'{MODEL}._scope_', ['mmpretrain'], '_scope_'),
        (f'{MODEL}.head._delete_', True, f'{MODEL}.head._delete_'),
        (f'{MODEL}._base_', 'evilpkg', '_base_'),
        (f'{BACKBONE}.patch_cfg', {CODE: 1}, '__import__'),
        (f'{BACKBONE}.patch_cfg', {'a.b': 1}, 'patch_cfg.a.b'),
        # weights from elsewhere
        (f'{MODEL}.pretrained', 'a.pth', 'pretrained'),
        (f'{MODEL}.pretrained', True, 'pretrained'),
        (f'{BACKBONE}.checkpoint', 1, 'checkpoint'),
        # types
        (
            MODEL,
            dict(type='HuggingFaceClassifier', trust_remote_code=True),
            "'HuggingFaceClassifier'",
        ),
        (
            BACKBONE,
            dict(type='TIMMBackbone', model_name='hf-hub:evil/repo'),
            "'TIMMBackbone'",
        ),
        (
            BACKBONE,
            dict(type='CLIPTeacher', pretrained='hf-hub:evil/x'),
            "'CLIPTeacher'",
        ),
        (f'{MODEL}.neck', [dict(type='evilpkg.Neck')], "'evilpkg.Neck'"),
        (f'{MODEL}.neck', dict(type=[]), 'neck.type = []'),
        (f'{BACKBONE}.norm_cfg', dict(type='os.system'), "'os.system'"),
        (MODEL, dict(type='VGG', depth=11), f"{MODEL}.type = 'VGG'"),
        (MODEL, {}, f'{MODEL}.type = None'),
        (f'{MODEL}.neck', [dict(type='LN'), dict(type='evilpkg')], 'evilpkg'),
        (f'{MODEL}.neck', dict(type=['evilpkg']), "neck.type = ['evilpkg']"),
        (f'{MODEL}.neck', dict(type=dict(type='LN')), 'neck.type = {'),
        (f'{MODEL}.neck', dict(type=None), 'neck.type = None'),
        (f'{MODEL}.neck', dict(type='mmpretrain.ClsHead'), 'mmpretrain.Cls'),
        (f'{BACKBONE}.norm_cfg', dict(type='evilpkg'), "'evilpkg'"),
        (f'{BACKBONE}.img_size', BURIED, 'img_size.layers.act.type'),
        (f'{BACKBONE}.layer_cfgs', [BURIED], 'layer_cfgs.layers.act.type'),
        ('config.data_preprocessor', dict(type='evilpkg'), "'evilpkg'"),
        (f'{MODEL}.data_preprocessor', dict(type='evilpkg'), "'evilpkg'"),
        # texts that a class looks up, which imports them
        (f'{BACKBONE}.patch_cfg', dict(conv_type='os.system'), 'conv_type'),
        (f'{BACKBONE}.patch_cfg', dict(conv_type='evilpkg'), 'conv_type'),
        (f'{BACKBONE}.layer_cfgs', dict(ffn_type='evilpkg'), 'ffn_type'),
        (f'{BACKBONE}.anything', 'evilpkg', 'anything'),
        (f'{BACKBONE}.anything', ['evilpkg'], 'anything'),
        # names, paths and addresses in the place of a word
        (f'{BACKBONE}.arch', '/etc/passwd', 'arch'),
        (f'{BACKBONE}.arch', 'hf-hub:evil', 'arch'),
        (f'{BACKBONE}.arch', 'https://evil.org/a.pth', 'arch'),
        (f'{BACKBONE}.out_type', 'os.system', 'out_type'),
        (f'{BACKBONE}.interpolate_mode', ['../a'], 'interpolate_mode'),
        # numbers
        (f'{MODEL}.head.num_classes', 10**9, 'num_classes'),
        (f'{MODEL}.head.num_classes', '8', 'num_classes'),
        (f'{MODEL}.head.num_classes', -(10**9), 'num_classes'),
        (f'{BACKBONE}.img_size', 1e300, 'img_size'),
        (f'{BACKBONE}.img_size', float('nan'), 'img_size'),
        (f'{BACKBONE}.img_size', float('inf'), 'img_size'),
        (f'{BACKBONE}.arch.num_layers', 10**30, 'arch.num_layers'),
        (f'{BACKBONE}.out_indices', [[1]], 'out_indices = [1]'),
        (BACKBONE, DEEP, 'too deeply'),
        # other parts of the JSON
        ('config', [], 'config is []'),
        ('config', {}, f'{MODEL} is None'),
        (MODEL, [1], f'{MODEL} is [1]'),
        ('config.data_preprocessor', 'evilpkg', "preprocessor is 'evilpkg'"),
        ('task', 'pretraining', 'pretraining.*does not classify'),
        ('classes', 'evilpkg', 'classes'),
        ('classes', [dict(type='evilpkg')], 'classes'),
        ('preprocessing', 3, 'preprocessing is 3'),
        ('preprocessing.center_crop', '32', 'preprocessing.*4096'),
        ('preprocessing.center_crop', dict(type='evilpkg'), 'preprocessing'),
        ('preprocessing.center_crop', 40, 'preprocessing'),  # of 36
        ('preprocessing.resize_short_edge', 0, 'preprocessing'),
        ('preprocessing.resize_short_edge', 10**9, 'preprocessing'),
        ('preprocessing.library', 'turbojpeg', 'one of pillow, cv2'),
        ('preprocessing.library', dict(type='evilpkg'), 'preprocessing'),
        ('preprocessing.interpolation', ['bicubic'], 'preprocessing'),
    ],
)  # fmt: skip
def test_what_an_export_may_not_ask_for(change, trap, place, value, named):
    text = refusal(change(place, value))
    assert all(part in text for part in named.split('.*'))
    assert 'cannot be built' not in text  # it does not get that far
    assert not trap.exists()


@pytest.mark.parametrize('word', ['arch', 'out_type', 'bias', 'style'])
@pytest.mark.parametrize(
    'kind', ['VisionTransformer', 'BEiTViT', 'SwinTransformer', 'ResNet']
)
def test_words_are_not_looked_up(change, trap, kind, word):
    backbone = {'type': kind, 'depth': 18, word: 'evilpkg'}
    if kind != 'ResNet':
        del backbone['depth']
    with pytest.raises(ValueError):  # of a class, or of the weights
        EmotionInferencer(change(BACKBONE, backbone), device='cpu')
    assert not trap.exists()


@pytest.mark.parametrize(
    ('place', 'value'),
    [
        (f'{MODEL}.head', dict(type='LinearClsHead')),
        (f'{MODEL}.head', 5),
        (f'{BACKBONE}.img_size', dict(type='LN')),
        (f'{BACKBONE}.no_such_argument', 1),
    ],
)
def test_wrong_arguments_fail_in_the_class(change, place, value):
    assert refusal(change(place, value)).startswith(
        'its model cannot be built'
    )


@pytest.mark.parametrize(
    ('place', 'value'),
    [
        (f'{MODEL}.head.init_cfg', dict(type='Pretrained', checkpoint='a.b')),
        (f'{MODEL}.head.loss', dict(type='evilpkg.Loss')),
        (f'{MODEL}.train_cfg', dict(augments=dict(type='evilpkg.Mix'))),
        ('config.data_preprocessor.batch_augments', dict(type='evilpkg.Mix')),
        (f'{MODEL}._scope_', 'mmpretrain'),
        ('config.custom_imports', dict(imports=['evilpkg'])),
        ('config.default_scope', 'evilpkg'),
        ('config.test_pipeline', [dict(type='evilpkg.Load')]),
        ('config.test_dataloader', dict(type='evilpkg.Loader')),
        ('preprocessing.type', 'evilpkg.Load'),
    ],
)
def test_other_entries_are_not_read(change, trap, place, value):
    target = change('format', 'safetensors')
    plain = read_exported_config(f'{target}.json').to_dict()
    other = read_exported_config(f'{change(place, value)}.json')
    assert other.to_dict() == plain
    EmotionInferencer(target, device='cpu')
    assert not trap.exists()


@pytest.mark.parametrize('short', [36, None])
def test_an_export_needs_no_config(change, classifier, short):
    """It is preprocessed as its JSON says, and may be exported again."""
    target = change('preprocessing.resize_short_edge', short)
    infer = EmotionInferencer(target, device='cpu')
    image = np.full((50, 40, 3), (255, 128, 0), np.uint8)  # BGR
    (result,) = infer(image)
    pixels = torch.tensor([0.0, 128, 255]).reshape(1, 3, 1, 1)
    mean = torch.tensor([123.675, 116.28, 103.53]).reshape(1, 3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).reshape(1, 3, 1, 1)
    inputs = ((pixels - mean) / std).expand(1, 3, 32, 32)
    expected = logits(classifier, inputs).softmax(1)[0]
    np.testing.assert_allclose(result['pred_scores'], expected, atol=1e-5)
    described = json.loads(Path(f'{target}.json').read_text())
    read = read_exported_config(f'{target}.json')
    assert describe_preprocessing(read) == described['preprocessing']
