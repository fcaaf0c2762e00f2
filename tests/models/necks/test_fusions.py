"""Each fusion against its equation, written out in NumPy float64."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

N, C, KAPPA = 5, 12, 3


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weighted_sum(p, a, b):  # eq. 2
    total = np.zeros_like(a)
    for i in range(KAPPA):
        total += p['scene_weights'][i] * a + p['person_weights'][i] * b
    mean = total.mean(1, keepdims=True)
    var = ((total - mean) ** 2).mean(1, keepdims=True)
    normed = (total - mean) / np.sqrt(var + 1e-5)
    return normed * p['norm.weight'] + p['norm.bias'] + p['bias']


def attention(p, a, b, over):  # eq. 3
    total = np.zeros_like(a)
    for i in range(KAPPA):
        eta, xi = p['scene_score.weight'][i], p['person_score.weight'][i]
        if over == 'stream':
            for n in range(N):
                w = softmax(np.array([a[n] @ eta, b[n] @ xi]), 0)
                total[n] += w[0] * a[n] + w[1] * b[n]
        else:
            total += softmax(a @ eta, 0)[:, None] * a
            total += softmax(b @ xi, 0)[:, None] * b
    return total * sigmoid(total) + p['bias']


def gated(p, a, b):  # eq. 4a - 4e
    heads = []
    for i in range(KAPPA):
        block = slice(i * C, (i + 1) * C)
        phi = p['scene_proj.weight'][block].T
        varphi = p['person_proj.weight'][block].T
        heads.append(softmax(a @ phi, 1) * a + softmax(b @ varphi, 1) * b)
    con = np.concatenate(heads, 1)
    hidden = np.maximum(con @ p['mlp.0.weight'].T + p['mlp.0.bias'], 0)
    m = hidden @ p['mlp.2.weight'].T + p['mlp.2.bias']
    g = m * sigmoid(m @ p['gate.weight'].T + p['gate.bias'])
    return np.maximum(m * sigmoid(g), 0) + p['bias']


CASES = [
    (dict(type='WeightedSumFusion'), weighted_sum),
    (dict(type='AttentionFusion'), lambda *x: attention(*x, 'stream')),
    (
        dict(type='AttentionFusion', normalize='batch'),
        lambda *x: attention(*x, 'batch'),
    ),
    (dict(type='GatedAttentionFusion'), gated),
    (dict(type='AdditionFusion'), lambda p, a, b: a + b),
]
IDS = ['gamma1', 'gamma2-stream', 'gamma2-batch', 'gamma3', 'gamma4']


def make(cfg):
    torch.manual_seed(1)
    fusion = MODELS.build(dict(cfg, in_channels=C))
    for parameter in fusion.parameters():  # away from symmetric starts
        torch.nn.init.normal_(parameter, std=0.5)
    return fusion, 2 * torch.randn(N, C), 2 * torch.randn(N, C)


@pytest.mark.parametrize(('cfg', 'equation'), CASES, ids=IDS)
def test_equals_the_equation(cfg, equation):
    fusion, scene, person = make(cfg)
    parameters = {
        k: v.detach().double().numpy() for k, v in fusion.named_parameters()
    }
    expected = equation(
        parameters, scene.double().numpy(), person.double().numpy()
    )
    found = fusion(scene, person).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(('cfg', 'equation'), CASES, ids=IDS)
def test_permuting_the_batch_permutes_the_output(cfg, equation):
    fusion, scene, person = make(cfg)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(
        fusion(scene[order], person[order]), fusion(scene, person)[order]
    )


@pytest.mark.parametrize(('cfg', 'equation'), CASES, ids=IDS)
def test_samples_mix_only_in_batch_mode(cfg, equation):
    fusion, scene, person = make(cfg)
    alone = fusion(scene[:2], person[:2])
    together = fusion(scene, person)[:2]
    same = torch.allclose(alone, together, atol=1e-5)
    assert same == (cfg.get('normalize') != 'batch')


@pytest.mark.parametrize(
    ('name', 'shapes'),
    [
        (
            'WeightedSumFusion',
            {
                'scene_weights': (KAPPA, C),
                'person_weights': (KAPPA, C),
                **dict.fromkeys(['bias', 'norm.weight', 'norm.bias'], (C,)),
            },
        ),
        (
            'AttentionFusion',
            {
                'scene_score.weight': (KAPPA, C),
                'person_score.weight': (KAPPA, C),
                'bias': (C,),
            },
        ),
        (
            'GatedAttentionFusion',
            {
                'scene_proj.weight': (KAPPA * C, C),
                'person_proj.weight': (KAPPA * C, C),
                'mlp.0.weight': (C, KAPPA * C),
                **dict.fromkeys(['mlp.2.weight', 'gate.weight'], (C, C)),
                **dict.fromkeys(
                    ['mlp.0.bias', 'mlp.2.bias', 'gate.bias', 'bias'], (C,)
                ),
            },
        ),
        ('AdditionFusion', {}),
    ],
)
def test_parameter_names_and_shapes(name, shapes):
    fusion = MODELS.build(dict(type=name, in_channels=C))
    found = {k: tuple(v.shape) for k, v in fusion.named_parameters()}
    assert found == shapes


@pytest.mark.parametrize('name', ['WeightedSumFusion', 'AttentionFusion'])
def test_bias_starts_small(name):
    bias = MODELS.build(dict(type=name, in_channels=C)).bias
    assert bias.requires_grad
    assert 0 < bias.abs().max() <= 1e-5


def test_wrong_width_names_both():
    fusion = MODELS.build(dict(type='AdditionFusion', in_channels=C))
    shapes = r'AdditionFusion .*\(N, 12\).*\(5, 12\) and \(5, 8\)'
    with pytest.raises(ValueError, match=shapes):
        fusion(torch.zeros(5, 12), torch.zeros(5, 8))


def test_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="'stream' or 'batch', but got 'x'"):
        MODELS.build(
            dict(type='AttentionFusion', in_channels=C, normalize='x')
        )
