"""Features of the backbone, beside the scores."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

from tests.apis.classifiers import photo, prepared


def test_features_are_the_mean_of_the_patches(infer, model):
    rgb = photo()
    (result,) = infer(Image.fromarray(rgb), return_features=True)
    pixels = torch.from_numpy(prepared(rgb)[None].astype(np.float32))
    kept = []
    norm = model.backbone.layers[-1].register_forward_hook(
        lambda module, given, tokens: kept.append(tokens)
    )
    with torch.no_grad():
        model(pixels)
    norm.remove()
    (tokens,) = kept  # (1, 1 + 16, C), before the last norm
    mean = tokens[0, 1:].mean(0)
    weights = model.state_dict()
    expected = torch.nn.functional.layer_norm(
        mean,
        mean.shape,
        weights['backbone.ln2.weight'],
        weights['backbone.ln2.bias'],
        eps=1e-6,
    )
    assert result['features'].dtype == np.float32
    np.testing.assert_allclose(result['features'], expected, atol=1e-5)
    assert 'features' not in infer(rgb)[0]


def test_features_keep_nothing_else(infer, monkeypatch):
    """Not the tokens, of which the class token is a part."""
    monkeypatch.setattr(infer.model.backbone, 'out_type', 'cls_token')
    samples = infer(
        [photo(1), photo(2)], return_datasamples=True, return_features=True
    )
    for sample in samples:
        assert sample.features.shape == (32,)
        assert sample.features.device.type == 'cpu'
        assert sample.features.untyped_storage().nbytes() == 2 * 32 * 4


def test_features_in_several_threads(infer):
    photos = [photo(seed) for seed in range(6)]
    expected = [infer(rgb, return_features=True)[0] for rgb in photos]

    def ask(position):
        return infer(photos[position % 6], return_features=True)[0]

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(120)))
    for position, result in enumerate(found):
        for name in ('features', 'pred_scores'):
            np.testing.assert_allclose(
                result[name], expected[position % 6][name], atol=1e-6
            )
