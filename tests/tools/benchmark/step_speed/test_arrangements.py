import pytest
import torch
from mmpretrain.models import MAE
from step_speed.arrangements import ARRANGEMENTS, build_arrangements
from step_speed.memory import peak_bytes
from step_speed.parts import time_parts
from torch import nn

from tests.helpers import CLASSIFIER
from tests.tools.benchmark.step_speed.conftest import CPU, config


def test_all_start_from_the_same_weights(build):
    found = build(*ARRANGEMENTS)
    assert list(found) == list(ARRANGEMENTS)
    ours = found['ours'].model.state_dict()
    for name, a in found.items():
        for key, value in a.model.state_dict().items():
            assert torch.equal(value, ours[key]), (name, key)
    assert type(found['mae'].model) is MAE
    assert not ours.keys() - found['reference'].model.state_dict().keys()


def test_optimizers(build):
    found = build('ours', 'reference', 'mae')
    fused = {
        k: a.optim_wrapper.optimizer.defaults['fused']
        for k, a in found.items()
    }
    assert fused == dict(ours=True, reference=None, mae=True)
    assert {a.precision for a in found.values()} == {'float32'}


def test_scene_and_stock_mae_have_the_same_loss(build):
    found = build('scene', 'mae')
    losses = []
    for a in found.values():
        torch.manual_seed(3)
        losses.append(a.step()['loss'])
    assert torch.equal(*losses)


def test_cached_features_keep_the_teacher_out(build):
    a = build('cached')['cached']
    seen = []
    a.model.target_generator.clip.visual.register_forward_hook(
        lambda *_: seen.append(1)
    )
    a.step()
    assert seen == []


def test_own_bytes(build):
    a = build('ours')['ours']
    a.step()
    model = a.model
    trained = [p for p in model.parameters() if p.requires_grad]
    count = sum(p.numel() for p in model.parameters())
    count += sum(b.numel() for b in model.buffers())
    clip = model.target_generator.clip
    count += sum(t.numel() for t in clip.parameters())
    moments = 2 * sum(p.numel() for p in trained) + len(trained)
    extra = sum(b.numel() * b.element_size() for b in clip.buffers())
    assert a.own_bytes() == 4 * (count + moments) + extra


def test_activations_are_seen_in_the_peak(build):
    """64 images of 17 tokens: 2 layers of the decoder alone keep 20 MB."""
    a = build('ours', batch_size=512)['ours']
    a.step()
    peak = peak_bytes(a, CPU)
    assert peak is None or peak - a.own_bytes() > 50e6


def test_parts_of_a_step(build):
    parts = time_parts(build('ours')['ours'], 1, CPU)
    assert list(parts) == [
        'pixels to the device',
        'scene encoder',
        'decoder and L1',
        'teacher',
        'fusion, L2, L3',
        'optimizer',
        'person encoder',
    ]


def test_any_classifier_can_be_measured():
    cfg = config()
    cfg.model = CLASSIFIER
    (a,) = build_arrangements(cfg, ['ours'], 6, CPU)
    before = a.model.head.fc.weight.clone()
    assert torch.isfinite(a.step()['loss'])
    assert not torch.equal(before, a.model.head.fc.weight)
    assert list(time_parts(a, 1, CPU)) == [
        'pixels to the device',
        'model',
        'optimizer',
    ]
    with pytest.raises(ValueError) as error:
        build_arrangements(cfg, ['ours', 'mae'], 6, CPU)
    assert str(error.value).endswith(
        'its model is ImageClassifier; only EmoMAE has the arrangements '
        "'compiled' to 'mae'. Give --arrangement ours"
    )
    assert isinstance(a.model, nn.Module)
