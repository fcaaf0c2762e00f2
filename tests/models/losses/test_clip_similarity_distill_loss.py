import numpy as np
import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from tests.helpers import EMO_MAE, build, run_distributed, samples
from uniemox_mm.models import CLIPSimilarityDistillLoss

N, C = 6, 10


def rows(x):  # eq. 5
    return x / np.sqrt((x**2).sum(1, keepdims=True))


def derive(student, image, text):
    """L2 and L3 from eq. 5-8, in float64, with every normalisation."""
    y, o, t = rows(student), rows(image), rows(text)
    a, c = rows(y @ t.T), rows(o @ t.T)  # eq. 6
    cosines, features = [], []
    for n in range(len(y)):
        norm = np.sqrt((a[n] ** 2).sum()) * np.sqrt((c[n] ** 2).sum())
        cosines.append(a[n] @ c[n] / norm)  # eq. 7
        norm = np.sqrt((y[n] ** 2).sum()) * np.sqrt((o[n] ** 2).sum())
        features.append(y[n] @ o[n] / norm)  # eq. 8
    return 1 - np.mean(cosines), 1 - np.mean(features)


def draw():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(N, C)) * scale for scale in (3, 0.2, 7)]


def test_equals_the_equations():
    arrays = draw()
    found = CLIPSimilarityDistillLoss()(*map(torch.tensor, arrays))
    assert list(found) == ['loss_similarity', 'loss_feature']
    np.testing.assert_allclose(
        [found['loss_similarity'], found['loss_feature']],
        derive(*arrays),
        atol=1e-5,
    )


def test_weights_scale_and_switch_off():
    tensors = [torch.tensor(x) for x in draw()]
    plain = CLIPSimilarityDistillLoss()(*tensors)
    scaled = CLIPSimilarityDistillLoss(3.0, 0.5)(*tensors)
    torch.testing.assert_close(
        scaled['loss_similarity'], 3 * plain['loss_similarity']
    )
    torch.testing.assert_close(
        scaled['loss_feature'], 0.5 * plain['loss_feature']
    )
    only_similarity = CLIPSimilarityDistillLoss(1.0, 0.0)(*tensors)
    assert list(only_similarity) == ['loss_similarity']
    only_feature = CLIPSimilarityDistillLoss(0.0, 1.0)(*tensors[:2])
    assert list(only_feature) == ['loss_feature']


def test_is_zero_for_a_perfect_student():
    _, image, text = (torch.tensor(x) for x in draw())
    found = CLIPSimilarityDistillLoss()(5 * image, image, text)
    torch.testing.assert_close(
        torch.stack(list(found.values())), torch.zeros(2), atol=1e-6, rtol=0
    )


def test_is_computed_in_float32_under_autocast():
    tensors = [torch.tensor(x, dtype=torch.float32) for x in draw()]
    plain = CLIPSimilarityDistillLoss()(*tensors)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = CLIPSimilarityDistillLoss()(*tensors)
    for name, loss in found.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, plain[name], rtol=0, atol=0)


def test_shapes_that_differ_are_refused():
    x = torch.zeros(4, C)
    with pytest.raises(ValueError, match=r'student is \(4, 10\).*\(3, 10\)'):
        CLIPSimilarityDistillLoss()(x, x, torch.zeros(3, C))
    with pytest.raises(ValueError, match=r'\[\(4, 10\), None\]'):
        CLIPSimilarityDistillLoss()(x, x, None)


@pytest.mark.parametrize('weights', [(0, 0), (-1, 1)])
def test_useless_weights_are_refused(weights):
    with pytest.raises(ValueError, match=r'at least 0 and not both 0'):
        CLIPSimilarityDistillLoss(*weights)


def model_and_batch():
    """A model whose masks draw on nothing: all patches stay visible."""
    torch.manual_seed(3)
    cfg = dict(
        EMO_MAE,
        head=None,
        backbone=dict(EMO_MAE['backbone'], mask_ratio=0.0),
        distill=dict(type='CLIPSimilarityDistillLoss', gather=True),
    )
    model = build(cfg)
    model.init_weights()
    return model, torch.randn(8, 3, 32, 32), torch.randn(8, 3, 32, 32)


def losses_and_gradients(module, model, scene, person, data_samples):
    losses = module([scene, person], data_samples, mode='loss')
    sum(losses.values()).backward()
    values = {k: v.item() for k, v in losses.items()}
    gradients = {
        k: p.grad.clone()
        for k, p in model.named_parameters()
        if p.grad is not None
    }
    return values, gradients


def compare_with_one_process(rank, world, file):
    model, scene, person = model_and_batch()
    part = slice(4 * rank, 4 * rank + 4)
    values, gradients = losses_and_gradients(
        DistributedDataParallel(model),
        model,
        scene[part],
        person[part],
        samples(8)[part],
    )
    whole = torch.load(file)
    assert values.keys() == whole['values'].keys()
    for name, value in values.items():
        assert abs(value - whole['values'][name]) < 1e-5, (name, rank)
    assert gradients.keys() == whole['gradients'].keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(
            gradient, whole['gradients'][name], atol=1e-5, rtol=1e-4
        )


@pytest.mark.slow
def test_two_processes_equal_one_with_the_whole_batch(tmp_path):
    model, scene, person = model_and_batch()
    values, gradients = losses_and_gradients(
        model, model, scene, person, samples(8)
    )
    assert set(values) == {'loss_similarity', 'loss_feature'}
    torch.save(dict(values=values, gradients=gradients), tmp_path / 'whole')
    run_distributed(2, compare_with_one_process, tmp_path / 'whole')


def text_gradient_equals_one_process(rank, world):
    """The gathered texts carry their gradient back to their rank."""
    student, image, text = (torch.tensor(x) for x in draw())
    whole_text = text.clone().requires_grad_()
    whole = CLIPSimilarityDistillLoss()(student, image, whole_text)
    whole['loss_similarity'].backward()
    half = slice(3 * rank, 3 * rank + 3)
    own_text = text[half].clone().requires_grad_()
    loss = CLIPSimilarityDistillLoss(gather=True)(
        student[half], image[half], own_text
    )
    loss['loss_similarity'].backward()
    # DDP would average the parameters' gradients over the ranks.
    torch.testing.assert_close(own_text.grad / world, whole_text.grad[half])


@pytest.mark.slow
def test_gathering_carries_gradients():
    run_distributed(2, text_gradient_equals_one_process)
