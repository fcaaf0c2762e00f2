"""Where the names of the classes come from, and what is none."""

import copy

import pytest
import torch
from mmengine.config import Config

from tests.apis.classifiers import photo, refusal
from uniemox_mm import EmotionInferencer
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES


def test_where_the_classes_come_from(own):
    names = tuple('abcdefgh')
    path = own / 'epoch_3.pth'
    content = torch.load(path)
    content['meta']['dataset_meta']['classes'] = names
    torch.save(content, path)
    assert EmotionInferencer(own, device='cpu').classes == names
    assert refusal(ValueError, own, classes=names[::-1]) == (
        'the classes are given in another order, h, g, f, e, d, c, b, a, than '
        'the classifier has them: a, b, c, d, e, f, g, h. Leave them out'
    )
    other = tuple('ABCDEFGH')
    infer = EmotionInferencer(own, device='cpu', classes=other)
    assert tuple(infer(photo())[0]['scores']) == other
    torch.save(content['state_dict'], path)
    assert EmotionInferencer(own, device='cpu').classes == EMOSET_CATEGORIES
    cfg = Config.fromfile(own / 'ft.py')
    cfg.test_dataloader.dataset.metainfo = dict(classes=names)
    infer = EmotionInferencer(path, cfg, device='cpu')
    assert infer.classes == names
    text = refusal(ValueError, own, classes=['joy', 'joy'])
    assert text == (
        'the classifier has 8 classes, but there are 1 names: joy, joy'
    )
    cfg.test_dataloader.dataset = dict(
        type='CustomDataset', pipeline=cfg.test_dataloader.dataset.pipeline
    )
    assert refusal(ValueError, path, cfg) == (
        'neither the checkpoint (meta.dataset_meta.classes) nor the '
        "config's test dataset names the classes: give them as classes=[...]"
    )


NO_NAMES = 'expected a list of class names, each of them a text, but got '


@pytest.mark.parametrize(
    ('meta', 'message'),
    [
        (3, '{path}: its meta is 3; expected a dict, as MMEngine writes it'),
        (
            dict(dataset_meta=[5]),
            '{path}: its dataset_meta is [5]; expected a dict, as MMEngine '
            'writes it',
        ),
        (
            dict(dataset_meta=dict(classes='abcdefgh')),
            f"{NO_NAMES}'abcdefgh'",
        ),
        (
            dict(dataset_meta=dict(classes=[1, 2, 3, 4, 5, 6, 7, 8])),
            f'{NO_NAMES}[1, 2, 3, 4, 5, 6, 7, 8]',
        ),
    ],
)
def test_classes_of_a_checkpoint_that_are_none(own, meta, message):
    path = own / 'epoch_3.pth'
    torch.save(dict(torch.load(path), meta=meta), path)
    assert refusal(ValueError, own) == message.format(path=path)


@pytest.mark.parametrize('names', ['abcdefgh', [*'abcdefg', ' ']])
def test_classes_that_are_no_names(own, model, names):
    assert refusal(ValueError, own, classes=names) == f'{NO_NAMES}{names!r}'
    own_model = copy.deepcopy(model)
    own_model._config = Config.fromfile(own / 'ft.py')
    text = refusal(ValueError, own_model, classes=names)
    assert text == f'{NO_NAMES}{names!r}'


def test_a_model_in_memory_has_all_that_is_needed(work_dir, model):
    own = copy.deepcopy(model)
    names = list('abcdefgh')
    assert refusal(ValueError, own, classes=names) == (
        'the model has no config, which says how images are made ready: take '
        "one of mmpretrain's get_model, or set model._config = "
        'Config.fromfile(...)'
    )
    own._config = Config.fromfile(work_dir / 'ft.py')
    assert refusal(ValueError, own, 'gone.py', classes=names) == (
        'config=... goes with a checkpoint: a model has its own, as '
        'model._config'
    )
    assert refusal(ValueError, own, classes=['joy', 'fear']) == (
        'the classifier has 8 classes, but there are 2 names: joy, fear'
    )
    own.head.num_classes = None  # heads without a layer do not know it
    infer = EmotionInferencer(own, device='cpu', classes=['joy', 'fear'])
    with pytest.raises(ValueError) as error:
        infer(photo())
    assert str(error.value) == (
        'the classifier gives 8 scores, but there are 2 names of classes: '
        'joy, fear'
    )
