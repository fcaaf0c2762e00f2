"""CLIP as start weights: what is taken is exact, the rest reported."""

import open_clip
import pytest
import torch

from tests.helpers import CLASSIFIER, TEACHER, build
from tests.models.target_generators.test_clip_teacher import AsPublished
from tests.weights.comparing import close, same
from uniemox_mm.weights import convert_checkpoint, convert_weights
from uniemox_mm.weights.checked_loading import load_encoder
from uniemox_mm.weights.read_checkpoint import load_weights

ARCH = dict(embed_dims=64, num_layers=2, num_heads=1, feedforward_channels=256)
QUICK = "layer_cfgs=dict(act_cfg=dict(type='mmpretrain.QuickGELU'))"


def clip_weights():
    return build(TEACHER).clip.state_dict()


def test_clip_as_start_weights():
    """Its blocks are ours, but for eps; what is around them is reported."""
    weights = clip_weights()
    for value in weights.values():
        value.normal_(std=0.2)
    found, report = convert_weights(weights)
    assert report.format == 'clip'
    assert report.changed == {
        'backbone.cls_token': 'of shape (1, 1, 64)',
        'backbone.pos_embed': 'of shape (1, 17, 64)',
        'backbone.patch_embed.projection.bias': "zeros, since CLIP's patches "
        'have no bias',
    }
    left = {
        key: why
        for key, why in report.left_out.items()
        if key.startswith('visual.')
    }
    norm = 'the norm before the first block, which --pre-norm keeps'
    assert left == {
        'visual.proj': 'the projection into the space of the texts',
        'visual.ln_pre.weight': norm,
        'visual.ln_pre.bias': norm,
    }
    assert report.settings == {
        "norm_cfg=dict(type='LN', eps=1e-5)": "the eps of CLIP's norms",
        QUICK: 'if they were trained with QuickGELU, as those of OpenAI were',
    }
    assert report.summary()[-3] == (
        "settings  norm_cfg=dict(type='LN', eps=1e-5): the eps of CLIP's norms"
    )
    model = build(
        CLASSIFIER,
        backbone=dict(
            CLASSIFIER['backbone'],
            arch=ARCH,
            out_type='raw',
            final_norm=True,
            norm_cfg=dict(type='LN', eps=1e-5),
        ),
        head=None,
    ).eval()
    assert load_encoder(model, found).fresh == []
    visual = visual_tower(weights)
    visual.ln_pre = torch.nn.Identity()
    visual.output_tokens, visual.proj = True, None
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        cls, patches = visual(images)
        tokens = model.extract_feat(images)[-1]
    close(tokens[:, 0], cls)
    close(tokens[:, 1:], patches)


def visual_tower(weights, name=TEACHER['model']):
    visual = open_clip.create_model(name, **TEACHER['model_cfg']).visual
    start = 'visual.'
    visual.load_state_dict(
        {
            key.removeprefix(start): value
            for key, value in weights.items()
            if key.startswith(start)
        }
    )
    return visual.eval()


@pytest.mark.parametrize('quick', [False, True])
def test_with_its_first_norm_clip_is_the_same_function(quick, tmp_path):
    """With the settings that the report names."""
    weights = clip_weights()
    for value in weights.values():
        value.normal_(std=0.2)
    source, target = tmp_path / 'clip.pth', tmp_path / 'ours.pth'
    torch.save(weights, source)
    report = convert_checkpoint(source, target, pre_norm=True)
    assert list(report.settings) == [
        "norm_cfg=dict(type='LN', eps=1e-5)",
        QUICK,
        'pre_norm=True',
    ]
    assert not any('ln_pre' in key for key in report.left_out)
    activation = dict(act_cfg=dict(type='mmpretrain.QuickGELU'))
    settings = dict(
        CLASSIFIER['backbone'],
        arch=ARCH,
        out_type='cls_token',
        final_norm=True,
        norm_cfg=dict(type='LN', eps=1e-5),
        layer_cfgs=activation if quick else dict(),
        pre_norm=True,
    )
    model = build(CLASSIFIER, backbone=settings, head=None).eval()
    assert load_encoder(model, load_weights(target)).fresh == []
    name = TEACHER['model'] + '-quickgelu' * quick
    visual = visual_tower(weights, name)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = visual(images)
        (found,) = model.extract_feat(images)
    assert expected.std() > 0.1
    close(found @ visual.proj, expected)
    again = convert_checkpoint(target, tmp_path / 'again.pth')
    assert again.format == 'mmpretrain'
    same(load_weights(tmp_path / 'again.pth'), load_weights(target))


def test_clip_as_openai_publishes_it(tmp_path):
    clip = build(TEACHER).clip
    path = tmp_path / 'ViT-B-16.pt'
    torch.jit.script(AsPublished(clip).half()).save(str(path))
    report = convert_checkpoint(path, tmp_path / 'ours.pth')
    assert report.format == 'clip'
    found = load_weights(tmp_path / 'ours.pth')
    expected, _ = convert_weights(clip.state_dict())
    assert found.keys() == expected.keys() and len(found) == 30
    for key, value in expected.items():
        assert torch.equal(found[key], value.half()), key
