"""CLIP as start weights: what is taken is exact, the rest reported."""

import open_clip
import torch

from tests.apis.converters.comparing import close
from tests.helpers import TEACHER, build
from tests.models.target_generators.test_clip_teacher import AsPublished
from tests.models.test_encoder_weights import CLASSIFIER
from uniemox_mm.apis.converters import convert_checkpoint, convert_weights
from uniemox_mm.models.encoder_weights import load_encoder
from uniemox_mm.models.weight_files import load_weights


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
    norm = 'a norm before the first block, which this encoder does not have'
    assert left == {
        'visual.proj': 'the projection into the space of the texts',
        'visual.ln_pre.weight': norm,
        'visual.ln_pre.bias': norm,
    }
    arch = dict(
        embed_dims=64, num_layers=2, num_heads=1, feedforward_channels=256
    )
    model = build(
        CLASSIFIER,
        backbone=dict(
            CLASSIFIER['backbone'],
            arch=arch,
            out_type='raw',
            final_norm=True,
            norm_cfg=dict(type='LN', eps=1e-5),
        ),
        head=None,
    ).eval()
    assert load_encoder(model, found).fresh == []
    visual = open_clip.create_model(
        TEACHER['model'], **TEACHER['model_cfg']
    ).visual.eval()
    visual.load_state_dict(
        {
            key.removeprefix('visual.'): value
            for key, value in weights.items()
            if key.startswith('visual.')
        }
    )
    visual.ln_pre = torch.nn.Identity()
    visual.output_tokens, visual.proj = True, None
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        cls, patches = visual(images)
        tokens = model.extract_feat(images)[-1]
    close(tokens[:, 0], cls)
    close(tokens[:, 1:], patches)


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
