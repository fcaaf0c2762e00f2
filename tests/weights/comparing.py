"""Small models with weights everywhere, and what equal means."""

import torch

from tests.helpers import build

CLASSES = (
    'amusement awe contentment excitement anger disgust fear sadness'
).split()


def randomised(config):
    model = build(config).eval()
    for weights in model.parameters():
        weights.data.normal_(std=0.2)
    return model


def logits(model, images):
    with torch.no_grad():
        return model(images, mode='tensor')


def close(found, expected, atol=1e-5):
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value), key


def save(path, content):
    torch.save(content, path)
    return path
