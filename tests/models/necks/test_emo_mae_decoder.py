import torch
from mmpretrain.models import MAEPretrainDecoder

from tests.helpers import C3, DECODER, build


def twins():
    ours = build(DECODER)
    ours.init_weights()
    cfg = {k: v for k, v in DECODER.items() if k != 'type'}
    theirs = MAEPretrainDecoder(**cfg)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


def test_decodes_as_mmpretrain_does():
    ours, theirs = twins()
    latent = torch.randn(2, 5, 32)
    ids_restore = torch.rand(2, 16).argsort(1)
    assert torch.equal(ours(latent, ids_restore), theirs(latent, ids_restore))


def test_cls_embedding_is_the_projected_cls_token():
    ours, _ = twins()
    latent = torch.randn(2, 5, 32)
    expected = latent[:, 0].double() @ ours.decoder_embed.weight.double().T
    expected += ours.decoder_embed.bias.double()
    found = ours.embed_cls(latent)
    assert found.shape == (2, C3) and ours.cls_channels == C3
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=1e-6)


def test_freezing_leaves_only_the_projection():
    ours, _ = twins()
    ours.freeze_reconstruction()
    assert [n for n, p in ours.named_parameters() if p.requires_grad] == [
        'decoder_embed.weight',
        'decoder_embed.bias',
    ]
