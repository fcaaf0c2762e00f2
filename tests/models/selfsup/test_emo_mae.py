import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from tests.helpers import (
    BACKBONE,
    C3,
    DECODER,
    EMO_MAE,
    HEAD,
    build,
    build_emo_mae,
    samples,
    views,
)


def test_gives_exactly_the_losses_that_are_on():
    distill = dict(type='CLIPSimilarityDistillLoss')
    no_similarity = dict(distill, similarity_weight=0)
    no_feature = dict(distill, feature_weight=0)
    plain = dict(distill=None, fusion=None, target_generator=None)
    for changes, expected in [
        ({}, ['loss_rec', 'loss_similarity', 'loss_feature']),
        (dict(head=None), ['loss_similarity', 'loss_feature']),
        (dict(distill=no_similarity), ['loss_rec', 'loss_feature']),
        (dict(distill=no_feature), ['loss_rec', 'loss_similarity']),
        (dict(fusion=None), ['loss_rec', 'loss_similarity', 'loss_feature']),
        (plain, ['loss_rec']),
    ]:
        losses = build_emo_mae(**changes)(views(), samples(4), mode='loss')
        assert list(losses) == expected
        assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize('part', [{}, {'head': None}, {'fusion': None}])
def test_every_trainable_parameter_gets_a_gradient(part):
    model = build_emo_mae(**part)
    sum(model(views(), samples(4), mode='loss').values()).backward()
    without = [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and p.grad is None
    ]
    assert without == []


def test_scene_loss_equals_mmpretrains_mae():
    """Same weights, image and mask: the scene comes first in the batch."""
    ours = build_emo_mae()
    theirs = MODELS.build(
        dict(
            type='MAE',
            backbone=dict(BACKBONE, type='MAEViT'),
            neck=dict(DECODER, type='MAEPretrainDecoder'),
            head=HEAD,
        )
    )
    weights = {k: v for k, v in ours.state_dict().items() if 'fusion' not in k}
    theirs.load_state_dict(weights, strict=True)
    scene, person = views()
    torch.manual_seed(21)
    found = ours([scene, person], samples(4), mode='loss')['loss_rec']
    torch.manual_seed(21)
    expected = theirs(scene, [], mode='loss')['loss']
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_reconstruction_loss_equals_eq_1():
    """The mean over masked patches of the mean squared pixel error."""
    model = build_emo_mae()
    scene, person = views()
    torch.manual_seed(4)
    found = model([scene, person], samples(4), mode='loss')['loss_rec']
    torch.manual_seed(4)
    with torch.no_grad():
        (latent, mask, ids), _ = model.backbone(scene, person)
        pred = model.neck(latent, ids).double().numpy()
    image = scene.double().numpy()
    errors = []
    for n in range(4):
        for patch in np.flatnonzero(mask[n].numpy()):
            y, x = divmod(patch, 4)
            block = image[n, :, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
            target = block.transpose(1, 2, 0).reshape(-1)
            errors.append(((pred[n, patch] - target) ** 2).mean())
    assert len(errors) == 4 * 12
    np.testing.assert_allclose(found.item(), np.mean(errors), atol=1e-5)


def test_losses_equal_those_of_the_parts():
    model = build_emo_mae()
    scene, person = views()
    torch.manual_seed(8)
    losses = model([scene, person], samples(4), mode='loss')
    torch.manual_seed(8)
    (latent, _, _), (latent_p, _, _) = model.backbone(scene, person)
    alpha = model.neck.decoder_embed(latent[:, 0])
    beta = model.neck.decoder_embed(latent_p[:, 0])
    captions = [s.caption for s in samples(4)]
    omega, lambda_ = model.target_generator(scene, captions)
    expected = model.distill(model.fusion(alpha, beta), omega, lambda_)
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


def test_without_fusion_alpha_alone_is_distilled():
    model = build_emo_mae(fusion=None)
    scene, person = views()
    torch.manual_seed(8)
    both = model([scene, person], samples(4), mode='loss')
    torch.manual_seed(8)
    alone = model(scene, samples(4), mode='loss')
    for name in both:
        assert torch.equal(both[name], alone[name])


def test_person_never_enters_the_decoders_blocks():
    model = build_emo_mae()
    seen = []
    model.neck.decoder_blocks[0].register_forward_hook(
        lambda module, args, out: seen.append(tuple(args[0].shape))
    )
    model(views(), samples(4), mode='loss')
    assert seen == [(4, 17, C3)]


def test_cached_text_features_equal_the_captions():
    model = build_emo_mae()
    with_captions = samples(4)
    features = model.target_generator.encode_text(
        [s.caption for s in with_captions]
    ).numpy()
    with_features = [DataSample() for _ in features]
    for sample, row in zip(with_features, features, strict=True):
        sample.set_field(row, 'text_feature')
    results = []
    for data_samples in (with_captions, with_features):
        torch.manual_seed(2)
        results.append(model(views(), data_samples, mode='loss'))
    for name in results[0]:
        torch.testing.assert_close(results[0][name], results[1][name])


def test_cached_image_features_become_omega():
    model = build_emo_mae()
    scene, _ = views()
    features = model.target_generator.encode_image(scene).half()
    with_features = samples(4)
    for sample, row in zip(with_features, features.numpy(), strict=True):
        sample.set_field(row, 'image_feature')
    given = []
    forward = model.distill.forward
    model.distill.forward = lambda *args: given.append(args) or forward(*args)
    losses = model(views(), with_features, mode='loss')
    assert list(losses) == ['loss_rec', 'loss_similarity', 'loss_feature']
    ((_, omega, _),) = given
    assert omega.dtype == torch.float32
    assert torch.equal(omega, features.float())


def test_bfloat16_stays_close_to_float32():
    """As AmpOptimWrapper runs it, on the CPU."""
    model = build_emo_mae()
    torch.manual_seed(2)
    full = model(views(), samples(4), mode='loss')
    torch.manual_seed(2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = model(views(), samples(4), mode='loss')
    sum(half.values()).backward()
    for name, loss in half.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, full[name], atol=0.02, rtol=0.02)
    for name, p in model.named_parameters():
        assert p.grad is None or torch.isfinite(p.grad).all(), name


def test_extract_feat_is_the_unmasked_scene():
    model = build_emo_mae()
    scene, person = views()
    (found,) = model([scene, person], mode='tensor')
    (expected,) = model.backbone(scene, mask=None)
    assert torch.equal(found, expected)


def test_reconstruct_equals_the_decoders_prediction():
    model = build_emo_mae()
    scene, _ = views()
    torch.manual_seed(6)
    painted, mask = model.reconstruct(scene)
    torch.manual_seed(6)
    latent, patch_mask, ids = model.backbone(scene)
    pred = model.neck(latent, ids)
    corner = pred[1, 5].detach().view(8, 8, 3).permute(2, 0, 1)
    torch.testing.assert_close(painted[1, :, 8:16, 8:16], corner)
    assert (mask[1, :, 8:16, 8:16] == patch_mask[1, 5]).all()
    assert mask.mean() == 0.75


def test_reconstruct_undoes_the_patch_normalisation():
    model = build_emo_mae(head=dict(HEAD, norm_pix=True))
    scene, _ = views()
    model.neck.forward = lambda latent, ids: model.head.construct_target(scene)
    painted, _ = model.reconstruct(scene)
    torch.testing.assert_close(painted, scene, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(neck=dict(DECODER, decoder_embed_dim=32)),
            'cls tokens in 32 channels .*ViT-B-16 gives 48',
        ),
        (
            dict(fusion=dict(type='AdditionFusion', in_channels=32)),
            'the fusion takes 32 channels, but the decoder embeds .* in 48',
        ),
        (dict(target_generator=None), 'needs a teacher'),
        (dict(distill=None), 'has a fusion but no distill loss'),
        (
            dict(distill=None, fusion=None),
            'has a target_generator but no distill loss',
        ),
        (
            dict(distill=None, head=None, fusion=None, target_generator=None),
            'needs a head, a distill loss or both',
        ),
        (
            dict(data_preprocessor=dict(mean=[0, 0, 0], std=[255, 255, 255])),
            'set the same mean and std in both',
        ),
    ],
)
def test_mismatched_parts_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build(EMO_MAE, **changes)


def test_missing_view_or_text_is_explained():
    model = build_emo_mae()
    with pytest.raises(ValueError, match='SceneAndPerson'):
        model(views()[0], samples(4), mode='loss')
    with pytest.raises(ValueError, match='similarity_weight=0'):
        model(views(), [DataSample() for _ in range(4)], mode='loss')
