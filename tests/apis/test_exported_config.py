"""The JSON of an export is data, and asks for what is known to be safe."""

import inspect
import json
import os
from functools import partial, reduce
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from tests.apis.classifiers import expected_scores, photo
from tests.helpers import ROOT
from uniemox_mm import EmotionInferencer
from uniemox_mm.apis.allowed_parts import ALLOWED
from uniemox_mm.apis.exported_config import read_exported_config
from uniemox_mm.apis.load_model import build_model
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.export.export_checkpoint import export_checkpoint

CONFIGS = [
    *sorted(ROOT.glob('configs/baselines/*.py')),
    *map(
        ROOT.joinpath,
        (
            'configs/finetune/vit-l_uniemox_fi.py',
            'configs/finetune/vit-tiny_demo.py',
            'configs/linear_probe/vit-b_uniemox.py',
        ),
    ),
]


@pytest.fixture(scope='module')
def export(work_dir, tmp_path_factory):
    target = tmp_path_factory.mktemp('export') / 'emotions.safetensors'
    export_checkpoint(work_dir, target, 'safetensors')
    return target


@pytest.fixture
def written(export, tmp_path):
    """Writes the JSON with one entry changed, and what to read."""
    target = tmp_path / export.name
    os.link(export, target)

    def write(place, value):
        content = json.loads(Path(f'{export}.json').read_text())
        *way, last = place.split('.')
        reduce(dict.__getitem__, way, content)[last] = value
        Path(f'{target}.json').write_text(json.dumps(content))
        return target

    return write


def refusal(target):
    with pytest.raises(ValueError) as error:
        EmotionInferencer(target, device='cpu')
    text = str(error.value)
    start = f'{target}.json: '
    assert text.startswith(start)
    return text.removeprefix(start)


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
        classes=list(EMOSET_CATEGORIES),
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


def test_what_is_allowed_is_what_these_classes_take():
    for slot in ('backbone', 'neck', 'head', 'data_preprocessor'):
        for name, arguments in ALLOWED[slot].items():
            kind = MODELS.get(name or 'ClsDataPreprocessor')
            assert kind.__module__.startswith('mmpretrain.models.')
            known = set()
            for base in kind.__mro__:
                known |= set(inspect.signature(base.__init__).parameters)
            assert arguments <= known


NOT_ASKED = (
    ' is not among what an export may ask for, so nothing was built; give '
    'the config instead, which is code and trusted (config=..., --config ...)'
)
MODEL = 'config.model'


@pytest.mark.parametrize(
    ('place', 'value', 'message'),
    [
        (f'{MODEL}._scope_', 'evilpkg', f'{MODEL}._scope_'),
        (f'{MODEL}.head._delete_', True, f'{MODEL}.head._delete_'),
        (f'{MODEL}.pretrained', 'a.pth', f'{MODEL}.pretrained'),
        (
            MODEL,
            dict(type='HuggingFaceClassifier', trust_remote_code=True),
            f"{MODEL}.type = 'HuggingFaceClassifier'",
        ),
        (
            f'{MODEL}.backbone',
            dict(type='TIMMBackbone', model_name='hf-hub:evil/repo'),
            f"{MODEL}.backbone.type = 'TIMMBackbone'",
        ),
        (
            f'{MODEL}.backbone',
            dict(type='CLIPTeacher', pretrained='hf-hub:evil/x'),
            f"{MODEL}.backbone.type = 'CLIPTeacher'",
        ),
        (
            f'{MODEL}.neck',
            [dict(type='evilpkg.Neck')],
            f"{MODEL}.neck.type = 'evilpkg.Neck'",
        ),
        (f'{MODEL}.neck', dict(type=[]), f'{MODEL}.neck.type = []'),
        (
            f'{MODEL}.backbone.patch_cfg',
            dict(conv_type='os.system'),
            f'{MODEL}.backbone.patch_cfg.conv_type',
        ),
        (
            f'{MODEL}.backbone.norm_cfg',
            dict(type='os.system'),
            f"{MODEL}.backbone.norm_cfg.type = 'os.system'",
        ),
        (
            f'{MODEL}.backbone.img_size',
            dict(type='LN'),
            f"{MODEL}.backbone.img_size = {{'type': 'LN'}}",
        ),
        (
            f'{MODEL}.backbone.out_indices',
            [[1]],
            f'{MODEL}.backbone.out_indices = [1]',
        ),
        (
            f'{MODEL}.head.num_classes',
            '8',
            f"{MODEL}.head.num_classes = '8'",
        ),
        (
            'config.data_preprocessor',
            dict(type='evilpkg.Data'),
            "config.data_preprocessor.type = 'evilpkg.Data'",
        ),
    ],
)
def test_what_an_export_may_not_ask_for(
    written, tmp_path, monkeypatch, place, value, message
):
    package, trap = tmp_path / 'evilpkg', tmp_path / 'executed'
    package.mkdir()
    code = f'open({str(trap)!r}, "w")\n'
    for name in ('__init__.py', 'registry.py'):
        (package / name).write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    assert refusal(written(place, value)) == message + NOT_ASKED
    assert not trap.exists()


@pytest.mark.parametrize('key', ['init_cfg', 'train_cfg', 'loss'])
def test_what_only_training_needs_is_not_read(written, key):
    asked = dict(type='Pretrained', checkpoint='https://evil.org/a.pth')
    plain = read_exported_config(f'{written("task", "classification")}.json')
    other = read_exported_config(
        f'{written(f"{MODEL}.head.{key}", asked)}.json'
    )
    assert other.to_dict() == plain.to_dict()


@pytest.mark.parametrize(
    ('place', 'value', 'message'),
    [
        ('config', [], 'config is []; expected a dict'),
        ('config', {}, 'config.model is None; expected a dict'),
        (MODEL, [1], 'config.model is [1]; expected a dict'),
        (MODEL, {}, 'config.model.type = None' + NOT_ASKED),
        ('preprocessing', 3, 'preprocessing is 3; expected a dict'),
        (
            'preprocessing.center_crop',
            '32',
            "preprocessing.center_crop is '32'; expected a number of pixels",
        ),
        (
            'preprocessing.resize_short_edge',
            0,
            'preprocessing.resize_short_edge is 0; expected a number of '
            'pixels',
        ),
        (
            'preprocessing.library',
            'turbojpeg',
            "preprocessing.library is 'turbojpeg'; expected one of pillow, "
            'cv2',
        ),
        (
            'task',
            'pretraining',
            'is of pretraining, which does not classify; expected an '
            'exported classifier',
        ),
    ],
)
def test_json_of_another_form(written, place, value, message):
    assert refusal(written(place, value)) == message


def test_parts_that_do_not_fit_together(written):
    text = refusal(written(f'{MODEL}.head', dict(type='LinearClsHead')))
    assert text.startswith('its model cannot be built (TypeError: ')
    text = refusal(written(f'{MODEL}.head', 5))
    assert text.startswith('its model cannot be built (TypeError: ')


def test_mmpretrains_own_scope_is_known(written, model):
    infer = EmotionInferencer(written(f'{MODEL}._scope_', 'mmpretrain'))
    (result,) = infer(photo()[..., ::-1])
    expected = expected_scores(model, photo())
    assert result['pred_scores'] == pytest.approx(expected, abs=1e-6)
