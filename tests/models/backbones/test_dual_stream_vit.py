import pytest
import torch
from mmpretrain.models import MAEViT
from torch.utils.flop_counter import FlopCounterMode

from tests.helpers import ARCH, BACKBONE, build


def twins():
    ours = build(BACKBONE)
    ours.init_weights()
    theirs = MAEViT(ARCH, img_size=32, patch_size=8)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


def test_one_stream_is_a_plain_mae_vit():
    ours, theirs = twins()
    x = torch.randn(3, 3, 32, 32)
    torch.manual_seed(5)
    expected = theirs(x)
    torch.manual_seed(5)
    found = ours(x)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('mask', [None, False])
def test_without_mask_it_sees_everything(mask):
    ours, theirs = twins()
    x = torch.randn(3, 3, 32, 32)
    (found,) = ours(x, mask=mask)
    (expected,) = theirs(x, mask=None)
    assert found.shape == (3, 17, 32)
    assert torch.equal(found, expected)


def test_one_call_for_two_streams_equals_two_calls():
    ours, _ = twins()
    scene, person = torch.randn(2, 4, 3, 32, 32)
    torch.manual_seed(7)
    together = ours(scene, person)
    torch.manual_seed(7)
    apart = ours(scene), ours(person)
    for both, single in zip(together, apart, strict=True):
        (latent, mask, ids), (latent1, mask1, ids1) = both, single
        assert torch.equal(mask, mask1)
        assert torch.equal(ids, ids1)
        torch.testing.assert_close(latent, latent1, atol=1e-6, rtol=1e-5)
        assert mask.sum(1).tolist() == [12.0] * 4  # 75 % of 16


def test_two_streams_cost_one_pass_of_the_layers():
    ours, _ = twins()
    calls = []
    ours.layers[0].register_forward_hook(
        lambda module, args, out: calls.append(args[0].shape[0])
    )
    ours(torch.randn(4, 3, 32, 32), torch.randn(4, 3, 32, 32))
    assert calls == [8]


def test_two_streams_without_mask():
    ours, _ = twins()
    scene, person = torch.randn(2, 2, 3, 32, 32)
    (a,), (b,) = ours(scene, person, mask=None)
    torch.testing.assert_close(a, ours(scene, mask=None)[0])
    torch.testing.assert_close(b, ours(person, mask=None)[0])


def test_wrong_second_argument_is_explained():
    ours, _ = twins()
    x = torch.randn(1, 3, 32, 32)
    with pytest.raises(TypeError, match=r'but got True; pass the mask switch'):
        ours(x, True)
    with pytest.raises(ValueError, match=r'\(1, 3, 32, 32\) and \(2, 3, 32'):
        ours(x, x.repeat(2, 1, 1, 1))


def test_size_and_cost_of_the_papers_student():
    """Table III: 329.54 M parameters, 20.78 G multiply-adds."""
    with torch.device('meta'):
        vit = build(
            dict(type='DualStreamViT', arch='l', img_size=224, patch_size=16)
        )
        decoder = build(
            dict(type='EmoMAEDecoder', embed_dim=1024, decoder_embed_dim=512)
        )
        image = torch.empty(1, 3, 224, 224)
        with FlopCounterMode(display=False) as counter:
            latent, _, ids_restore = vit(image)
            decoder(latent, ids_restore)
    parameters = sum(p.numel() for m in (vit, decoder) for p in m.parameters())
    assert parameters == pytest.approx(329.54e6, rel=1e-3)
    multiply_adds = counter.get_total_flops() / 2
    assert multiply_adds == pytest.approx(20.78e9, rel=0.02)
