import copy

import numpy as np
import open_clip
import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from open_clip.transform import image_transform
from PIL import Image
from torch import nn

from tests.helpers import (
    C3,
    EMO_MAE,
    TEACHER,
    PublishedClip,
    build,
    samples,
)

MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)


def bits(teacher):
    return copy.deepcopy(teacher.clip.state_dict())


def assert_same(before, teacher):
    after = teacher.clip.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_renormalised_pixels_equal_open_clips_own_preprocessing():
    picture = Image.effect_noise((32, 32), 90).convert('RGB')
    picture.putpixel((3, 4), (255, 0, 17))
    teacher = build(TEACHER)
    visual = teacher.clip.visual
    cfg = visual.preprocess_cfg
    expected = image_transform(
        32, is_train=False, mean=cfg['mean'], std=cfg['std']
    )(picture)
    pixels = torch.tensor(list(picture.tobytes()), dtype=torch.float32)
    pixels = pixels.view(32, 32, 3).permute(2, 0, 1)
    student_view = (pixels - MEAN) / STD
    found = teacher.renormalise(student_view[None])[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_other_sizes_are_resized_for_the_teacher():
    teacher = build(TEACHER)
    resized = teacher.renormalise(torch.zeros(2, 3, 48, 48))
    same = teacher.renormalise(torch.zeros(2, 3, 32, 32))
    torch.testing.assert_close(resized, same)


def test_features_equal_open_clips():
    teacher = build(TEACHER)
    images = torch.randn(2, 3, 32, 32)
    captions = ['a dog on a beach', 'an angry person']
    omega, lambda_ = teacher(images, captions)
    tokens = open_clip.get_tokenizer('ViT-B-16')(captions)
    with torch.no_grad():
        expected = teacher.clip.encode_image(teacher.renormalise(images))
        assert torch.equal(omega, expected)
        assert torch.equal(lambda_, teacher.clip.encode_text(tokens))
    assert omega.shape == lambda_.shape == (2, C3)
    assert not omega.requires_grad and not lambda_.requires_grad


def test_given_text_features_are_passed_on():
    teacher = build(TEACHER)
    features = torch.randn(2, C3)
    _, lambda_ = teacher(torch.randn(2, 3, 32, 32), features)
    assert torch.equal(lambda_, features)
    assert teacher(torch.randn(2, 3, 32, 32), None)[1] is None


def test_random_teacher_depends_on_its_seed_alone():
    torch.manual_seed(1)
    first = build(TEACHER)
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(3))  # drew nothing from outside
    torch.manual_seed(2)
    assert_same(bits(first), build(TEACHER))
    other = build(TEACHER, seed=1).clip.state_dict()
    assert not torch.equal(
        other['text_projection'], first.clip.state_dict()['text_projection']
    )


def test_initialisation_and_training_leave_the_teacher():
    model = build(
        EMO_MAE,
        init_cfg=[
            dict(type='Xavier', layer='Linear'),
            dict(type='Constant', layer='LayerNorm', val=3.0),
            dict(type='Normal', layer='Conv2d', std=1.0),
        ],
    )
    teacher = model.target_generator
    before = bits(teacher)
    model.init_weights()
    assert model.backbone.ln1.weight[0] == 3  # it did initialise the rest
    assert_same(before, teacher)

    optim = build_optim_wrapper(
        model, dict(optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.5))
    )
    assert isinstance(optim, OptimWrapper)
    model.train()
    student_before = copy.deepcopy(model.state_dict())
    for _ in range(3):
        inputs = [torch.rand(4, 3, 32, 32) for _ in range(2)]
        data = dict(inputs=inputs, data_samples=samples(4))
        model.train_step(data, optim)
    assert_same(before, teacher)
    weight = 'fusion.scene_score.weight'
    assert not torch.equal(student_before[weight], model.state_dict()[weight])

    teachers = {id(p) for p in teacher.clip.parameters()}
    groups = optim.optimizer.param_groups
    assert not any(id(p) in teachers for g in groups for p in g['params'])
    assert not any('target_generator' in key for key in model.state_dict())
    assert not any(m.training for m in teacher.clip.modules())


def test_frozen_even_for_an_optimizer_over_all_parameters():
    teacher = build(TEACHER)
    assert list(teacher.parameters()) == []
    assert list(teacher.state_dict()) == []
    assert not any(p.requires_grad for p in teacher.clip.parameters())


def dtypes(teacher):
    return {value.dtype for value in teacher.clip.state_dict().values()}


def test_follows_the_model_to_other_devices():
    holder = nn.ModuleList([build(TEACHER)])
    holder.to('meta')
    teacher = holder[0]
    assert all(value.is_meta for value in teacher.clip.state_dict().values())
    assert teacher.scale.is_meta and teacher.shift.is_meta


@pytest.mark.parametrize('convert', ['half', 'bfloat16', 'double'])
def test_keeps_its_precision_when_the_student_changes_its_own(convert):
    holder = nn.ModuleList([build(TEACHER), nn.Linear(2, 2)])
    teacher, images = holder[0], torch.randn(2, 3, 32, 32)
    before, expected = bits(teacher), teacher(images, ['a dog'])
    getattr(holder, convert)()
    assert holder[1].weight.dtype != torch.float32
    assert_same(before, teacher)
    assert teacher.scale.dtype == teacher.shift.dtype == torch.float32
    for found, feature in zip(
        teacher(images, ['a dog']), expected, strict=True
    ):
        assert torch.equal(found, feature)


def test_can_be_built_without_memory_and_filled_later():
    source, images = build(TEACHER), torch.randn(2, 3, 32, 32)
    with torch.device('meta'):
        teacher = build(TEACHER)
    teacher.to_empty(device='cpu')
    teacher.clip.load_state_dict(source.clip.state_dict())
    for ours, theirs in ((teacher, source), (teacher.clip, source.clip)):
        for empty, full in zip(ours.buffers(), theirs.buffers(), strict=True):
            empty.copy_(full)
    assert_same(bits(source), teacher)
    found, expected = (each(images, ['a dog']) for each in (teacher, source))
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_loads_a_local_file(tmp_path):
    source = build(TEACHER, seed=5)
    path = tmp_path / 'clip.pt'
    torch.save(source.clip.state_dict(), path)
    loaded = build(TEACHER, pretrained=str(path))
    assert_same(bits(source), loaded)


def test_loads_openais_torchscript_archive(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')  # as in training
    source = build(TEACHER, seed=5)
    path = tmp_path / 'ViT-B-16.pt'
    published = PublishedClip(source.clip).half()
    torch.jit.script(published).save(str(path))
    loaded = build(TEACHER, pretrained=str(path))
    expected = {k: v.half().float() for k, v in bits(source).items()}
    assert_same(expected, loaded)
    assert loaded.clip.text_projection.dtype == torch.float32


def test_an_archive_of_another_architecture_is_refused(tmp_path):
    path = tmp_path / 'ViT-B-16.pt'
    torch.jit.script(PublishedClip(build(TEACHER).clip)).save(str(path))
    deeper = copy.deepcopy(TEACHER['model_cfg'])
    deeper['vision_cfg']['layers'] = 3
    with pytest.raises(RuntimeError, match=r'resblocks\.2') as error:
        build(TEACHER, pretrained=str(path), model_cfg=deeper)
    assert str(path) in str(error.value)


def test_convolutional_clip():
    cfg = dict(
        embed_dim=C3,
        vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8),
        text_cfg=TEACHER['model_cfg']['text_cfg'],
    )
    teacher = build(TEACHER, model='RN50', model_cfg=cfg)
    omega, _ = teacher(torch.randn(2, 3, 32, 32), None)
    assert omega.shape == (2, C3) and teacher.embed_dim == C3


@pytest.mark.parametrize(
    ('content', 'kind'), [(None, 'a tag'), (b'not weights', 'a local file')]
)
def test_unusable_weights_are_named(tmp_path, content, kind):
    path = tmp_path / 'clip.pt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RuntimeError) as error:
        build(TEACHER, pretrained=str(path))
    for part in (str(path), kind, 'without internet'):
        assert part in str(error.value)


def test_fingerprint_changes_with_the_text_tower_alone():
    teacher = build(TEACHER)
    first = teacher.text_fingerprint()
    assert first['model'] == 'ViT-B-16' and first['embed_dim'] == C3
    with torch.no_grad():
        teacher.clip.visual.conv1.weight.add_(1)
    assert teacher.text_fingerprint() == first
    with torch.no_grad():
        teacher.clip.token_embedding.weight[7, 3] += 1
    assert teacher.text_fingerprint() != first


def test_image_fingerprint_changes_with_the_image_tower_alone():
    teacher = build(TEACHER)
    first = teacher.image_fingerprint()
    assert list(first) == [
        'model',
        'embed_dim',
        'image_architecture',
        'image_preprocessing',
        'image_weights_sha256',
    ]
    assert first['image_preprocessing'] == dict(
        size=teacher.clip.visual.preprocess_cfg['size'],
        mean=teacher.clip.visual.preprocess_cfg['mean'],
        std=teacher.clip.visual.preprocess_cfg['std'],
    )
    text = teacher.text_fingerprint()
    with torch.no_grad():
        teacher.clip.token_embedding.weight[7, 3] += 1
        teacher.clip.logit_scale += 1  # in neither
    assert teacher.image_fingerprint() == first
    assert teacher.text_fingerprint() != text
    with torch.no_grad():
        teacher.clip.visual.conv1.weight[5, 1, 2, 3] += 1
    changed = teacher.image_fingerprint()
    assert {k for k in first if first[k] != changed[k]} == {
        'image_weights_sha256'
    }


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_image_fingerprint_uses_the_rounded_weights(dtype):
    """So that it is the same with an accelerator and without."""
    teacher = build(TEACHER, dtype=dtype)
    before = teacher.image_fingerprint()
    teacher.clip.visual.to(getattr(torch, dtype))
    assert dtypes(teacher) == {torch.float32, getattr(torch, dtype)}
    assert teacher.image_fingerprint() == before
    assert build(TEACHER, dtype='float32').image_fingerprint() != before


def fingerprint(teacher, tower):
    return getattr(teacher, f'{tower}_fingerprint')()


@pytest.mark.parametrize(
    ('tower', 'setting'), [('text', 'heads'), ('image', 'head_width')]
)
def test_fingerprint_changes_with_the_architecture(tower, setting):
    """Even where the weights are the same."""
    heads = copy.deepcopy(TEACHER['model_cfg'])
    towers = dict(text=heads['text_cfg'], image=heads['vision_cfg'])
    towers[tower][setting] = dict(text=4, image=32)[tower]
    quick = dict(TEACHER['model_cfg'], quick_gelu=True)
    teachers = [build(TEACHER, model_cfg=cfg) for cfg in (heads, quick)]
    if tower == 'image':
        teachers.append(build(TEACHER))
        visual = teachers[2].clip.visual
        visual.preprocess_cfg = dict(visual.preprocess_cfg, mean=(0, 0, 0))
    first = fingerprint(build(TEACHER), tower)
    for teacher in teachers:
        other = fingerprint(teacher, tower)
        weights = f'{tower}_weights_sha256'
        assert other[weights] == first[weights]
        assert other != first


def test_features_do_not_depend_on_autocast():
    teacher, images = build(TEACHER), torch.randn(2, 3, 32, 32)
    text, image = teacher.encode_text(['a dog']), teacher.encode_image(images)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(teacher.encode_text(['a dog']), text)
        assert torch.equal(teacher.encode_image(images), image)
        rounded = teacher.encode_image(images.bfloat16())
    assert rounded.dtype == torch.float32


def test_targets_work_in_a_graph_with_gradients():
    """They come from inference mode, whose tensors cannot be kept for it."""
    teacher = build(TEACHER)
    targets = teacher(torch.randn(3, 3, 32, 32), ['a dog', 'a cat', 'red'])
    student = torch.randn(3, C3, requires_grad=True)
    sum((student @ t.T).pow(2).sum() for t in targets).backward()
    x = student.detach().double().numpy()
    wide = [t.double().numpy() for t in targets]
    expected = sum(2 * (x @ t.T) @ t for t in wide)
    np.testing.assert_allclose(student.grad.numpy(), expected, rtol=1e-4)
    for target in targets:
        assert not target.is_inference() and not target.requires_grad


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
def test_given_image_features_are_passed_on(dtype):
    teacher = build(TEACHER)
    called = []
    teacher.clip.visual.register_forward_hook(lambda *args: called.append(1))
    features = torch.randn(2, C3).to(dtype)
    omega, lambda_ = teacher(features, ['a dog', 'a cat'])
    assert omega.dtype == torch.float32
    assert torch.equal(omega, features.float())
    assert torch.equal(lambda_, teacher.encode_text(['a dog', 'a cat']))
    assert called == []
    teacher(torch.randn(2, 3, 32, 32), None)
    assert called == [1]


def test_image_tower_in_half_precision_as_on_an_accelerator(monkeypatch):
    full, teacher = build(TEACHER), build(TEACHER)
    monkeypatch.setattr(
        type(teacher), '_image_dtype', lambda self, device: torch.bfloat16
    )
    teacher.to('cpu')
    visual = {p.dtype for p in teacher.clip.visual.parameters()}
    assert visual == {torch.bfloat16}
    before = bits(full)
    texts = {
        name: value
        for name, value in teacher.clip.state_dict().items()
        if not name.startswith('visual.')
    }
    assert all(torch.equal(before[name], v) for name, v in texts.items())
    assert len(texts) > 20

    images, captions = torch.randn(4, 3, 32, 32), ['a dog', 'a cat']
    omega, lambda_ = teacher(images, captions)
    assert omega.dtype == lambda_.dtype == torch.float32
    monkeypatch.undo()
    expected = full(images, captions)
    assert torch.equal(lambda_, expected[1])
    assert not torch.equal(omega, expected[0])
    close = torch.cosine_similarity(omega, expected[0])
    assert (close > 0.999).all()
