import copy

import open_clip
import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from open_clip.transform import image_transform
from PIL import Image
from torch import nn

from tests.helpers import C3, EMO_MAE, TEACHER, build, samples

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
    assert teacher.renormalise(torch.zeros(2, 3, 48, 48)).shape[-2:] == (
        32,
        32,
    )
    flat = teacher.renormalise(torch.zeros(1, 3, 48, 48))
    same = teacher.renormalise(torch.zeros(1, 3, 32, 32))
    torch.testing.assert_close(flat, same)


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


def test_is_untouched_by_initialisation_and_training():
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


def test_follows_the_model_to_other_devices_and_types():
    holder = nn.ModuleList([build(TEACHER)])
    holder.double()
    assert holder[0].clip.visual.conv1.weight.dtype == torch.float64
    assert holder[0].scale.dtype == torch.float64
    holder.to('meta')
    assert holder[0].clip.text_projection.is_meta


def test_loads_a_local_file(tmp_path):
    source = build(TEACHER, seed=5)
    path = tmp_path / 'clip.pt'
    torch.save(source.clip.state_dict(), path)
    loaded = build(TEACHER, pretrained=str(path))
    assert_same(bits(source), loaded)


class AsPublished(torch.nn.Module):
    """CLIP's weights in a TorchScript module, half precision, with sizes."""

    def __init__(self, clip):
        super().__init__()
        for name, child in clip.named_children():
            self.add_module(name, _Holder(child))
        for name, parameter in clip.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, size in (
            ('input_resolution', 32),
            ('context_length', 77),
            ('vocab_size', 49408),
        ):
            self.register_buffer(name, torch.tensor(size))

    def forward(self, x):
        return x


class _Holder(torch.nn.Module):
    """A module's parameters and children without its code."""

    def __init__(self, source):
        super().__init__()
        for name, child in source.named_children():
            self.add_module(name, _Holder(child))
        for name, parameter in source.named_parameters(recurse=False):
            self.register_parameter(name, parameter)

    def forward(self, x):
        return x


def test_loads_openais_torchscript_archive(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')  # as in training
    source = build(TEACHER, seed=5)
    path = tmp_path / 'ViT-B-16.pt'
    published = AsPublished(source.clip).half()
    torch.jit.script(published).save(str(path))
    loaded = build(TEACHER, pretrained=str(path))
    expected = {k: v.half().float() for k, v in bits(source).items()}
    assert_same(expected, loaded)
    assert loaded.clip.text_projection.dtype == torch.float32


def test_an_archive_of_another_architecture_is_refused(tmp_path):
    path = tmp_path / 'ViT-B-16.pt'
    torch.jit.script(AsPublished(build(TEACHER).clip)).save(str(path))
    deeper = copy.deepcopy(TEACHER['model_cfg'])
    deeper['vision_cfg']['layers'] = 3
    with pytest.raises(RuntimeError, match=r'resblocks\.2') as error:
        build(TEACHER, pretrained=str(path), model_cfg=deeper)
    assert str(path) in str(error.value)


def test_convolutional_clips_work_too():
    cfg = dict(
        embed_dim=C3,
        vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8),
        text_cfg=TEACHER['model_cfg']['text_cfg'],
    )
    teacher = build(TEACHER, model='RN50', model_cfg=cfg)
    omega, _ = teacher(torch.randn(2, 3, 32, 32), None)
    assert omega.shape == (2, C3) and teacher.embed_dim == C3


def test_missing_weights_are_explained(tmp_path):
    path = str(tmp_path / 'nothing.pt')
    with pytest.raises(RuntimeError) as error:
        build(TEACHER, pretrained=path)
    for part in (path, 'a tag', "'openai'", 'without internet'):
        assert part in str(error.value)


def test_a_broken_weight_file_is_named(tmp_path):
    path = tmp_path / 'broken.pt'
    path.write_bytes(b'not weights')
    with pytest.raises(RuntimeError) as error:
        build(TEACHER, pretrained=str(path))
    assert str(path) in str(error.value)
    assert 'a local file' in str(error.value)


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


def test_fingerprint_changes_with_what_the_weights_do_not_show():
    first = build(TEACHER).text_fingerprint()
    heads = copy.deepcopy(TEACHER['model_cfg'])
    heads['text_cfg']['heads'] = 4
    quick = dict(TEACHER['model_cfg'], quick_gelu=True)
    for cfg in (heads, quick):
        other = build(TEACHER, model_cfg=cfg).text_fingerprint()
        weights = 'text_weights_sha256'
        assert other[weights] == first[weights]
        assert other != first


def test_text_features_do_not_depend_on_autocast():
    teacher = build(TEACHER)
    expected = teacher.encode_text(['a dog'])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = teacher.encode_text(['a dog'])
    assert torch.equal(found, expected)
