"""convert.py and export.py as a user runs them, and training on the result."""

import runpy
import sys

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file

from tests.datasets.miniatures import write_miniature
from tests.helpers import (
    EMO_MAE,
    ROOT,
    TEACHER,
    build,
    execute,
    tiny_finetune,
)
from tests.weights.comparing import same
from tests.weights.hostile_files import write_archive
from tests.weights.plain_mae import (
    encoder_of,
    finetuned,
    random_encoder,
    random_mae,
)
from uniemox_mm.weights.read_checkpoint import load_weights

TOOLS = ROOT / 'tools/model_converters'


def run(monkeypatch, tool, *arguments):
    """In this process, which is what takes no time."""
    command = [str(TOOLS / tool), *map(str, arguments)]
    monkeypatch.setattr(sys, 'argv', command)
    runpy.run_path(command[0], run_name='__main__')


def test_there_and_back(tmp_path, monkeypatch, capsys):
    weights = random_encoder()
    weights['extra'] = torch.ones(1)
    source, target = tmp_path / 'mae.pth', tmp_path / 'ours.pth'
    torch.save(dict(model=weights), source)
    run(
        monkeypatch, 'convert.py', source, target, '--from', 'mae',
        '--img-size', 64, '--patch-size', 8, '--leave-out', 'ex*',
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('mae.pth: mae, ViT') and '64 x 64' in lines[0]
    assert [line.split()[:2] for line in lines[1:-2]] == [
        ['changed', 'backbone.pos_embed:'],
        ['left', 'out'],
        ['missing', 'backbone.ln2.*:'],
        ['missing', 'neck.*:'],
        ['missing', 'fusion.*:'],
        ['missing', 'head.*:'],
    ]
    assert lines[-2:] == ['30 mapped, 1 left out', f'Written to {target}']
    assert load_weights(target)['backbone.pos_embed'].shape == (1, 65, 32)


def test_export_of_a_converted_classifier(tmp_path, monkeypatch, capsys):
    source, ours = tmp_path / 'ft.pth', tmp_path / 'ours.pth'
    torch.save(finetuned(), source)
    names = 'amusement awe contentment excitement anger disgust fear sadness'
    run(monkeypatch, 'convert.py', source, ours, '--classes', *names.split())
    config = tmp_path / 'tiny.py'
    tiny_finetune('data', tmp_path).dump(config)
    capsys.readouterr()
    folder = tmp_path / 'timm'
    run(monkeypatch, 'export.py', ours, folder, '--to', 'timm')
    files = [folder / 'model.safetensors', folder / 'config.json']
    assert capsys.readouterr().out.splitlines()[-3:] == [
        'Written:',
        *(f'  {path}' for path in files),
    ]
    exported = load_file(files[0])
    assert exported.keys() == finetuned().keys()
    expected = torch.load(source)
    assert all(torch.equal(exported[key], expected[key]) for key in exported)


def test_export_of_a_converted_encoder_and_back(tmp_path, monkeypatch):
    """From MAE, whose checkpoints have no fusion."""
    weights = random_mae().state_dict()
    torch.save(dict(model=weights), tmp_path / 'mae.pth')
    ours = tmp_path / 'ours.pth'
    run(monkeypatch, 'convert.py', tmp_path / 'mae.pth', ours)
    Config(dict(model=EMO_MAE)).dump(tmp_path / 'tiny.py')
    run(monkeypatch, 'export.py', ours, tmp_path / 'timm', '--to', 'timm')
    exported = tmp_path / 'timm' / 'model.safetensors'
    same(load_file(exported), encoder_of(weights))
    run(monkeypatch, 'convert.py', exported, tmp_path / 'back.pth')
    expected = load_weights(ours)
    assert any(key.startswith('neck.') for key in expected)
    same(
        load_weights(tmp_path / 'back.pth'),
        {k: v for k, v in expected.items() if k.startswith('backbone.')},
    )
    target = tmp_path / 'all.safetensors'
    run(monkeypatch, 'export.py', ours, target, '--to', 'safetensors')
    same(load_file(target), expected)


def test_export_of_torn_weights_is_refused(tmp_path, monkeypatch):
    weights = build(EMO_MAE).state_dict()
    weights['fusion.extra'] = weights.pop('fusion.bias')
    torch.save(weights, tmp_path / 'a.pth')
    Config(dict(model=EMO_MAE)).dump(tmp_path / 'tiny.py')
    target = tmp_path / 'a.safetensors'
    with pytest.raises(SystemExit, match=r'missing: fusion\.bias'):
        run(
            monkeypatch, 'export.py', tmp_path / 'a.pth', target,
            '--to', 'safetensors',
        )  # fmt: skip
    assert not target.exists()


def test_errors_are_one_line(tmp_path, monkeypatch):
    for tool, arguments in (
        ('convert.py', ()),
        ('export.py', ('--to', 'timm')),
    ):
        source = tmp_path / 'missing.pth'
        with pytest.raises(SystemExit) as error:
            run(monkeypatch, tool, source, tmp_path / 'x', *arguments)
        assert error.value.code == f'{source}: no such checkpoint'


def test_broken_archives_and_targets_are_one_line(tmp_path, monkeypatch):
    source, below = tmp_path / 'mae.pth', tmp_path / 'mae.pth' / 'x'
    write_archive(source, b'\x80\x02}\xff.')
    for tool, arguments in (
        ('convert.py', ()),
        ('export.py', ('--to', 'timm')),
    ):
        for target, message in (
            (tmp_path / 'x', f'{source}: not a checkpoint of plain weights'),
            (below, f'{below}: cannot be written, since {source} is not'),
        ):
            with pytest.raises(SystemExit) as error:
                run(monkeypatch, tool, source, target, *arguments)
            assert error.value.code.startswith(message)


def test_clips_first_norm_may_be_kept(tmp_path, monkeypatch, capsys):
    source, target = tmp_path / 'clip.pth', tmp_path / 'ours.pth'
    torch.save(build(TEACHER).clip.state_dict(), source)
    run(monkeypatch, 'convert.py', source, target, '--pre-norm')
    assert 'backbone.pre_norm.weight' in load_weights(target)
    assert (
        'settings  pre_norm=True: the norm before the first block, and no '
        'bias of the patches' in capsys.readouterr().out.splitlines()
    )


@pytest.mark.slow
def test_training_starts_from_what_was_converted(tmp_path, monkeypatch):
    root = tmp_path / 'Emo8'
    write_miniature('Emo8', root, per_class=5, size=32)
    source, ours = tmp_path / 'ft.pth', tmp_path / 'ours.pth'
    torch.save(dict(model=finetuned()), source)
    run(monkeypatch, 'convert.py', source, ours)
    config = tmp_path / 'ft.py'
    cfg = tiny_finetune(root, tmp_path / 'ft', **{'train_cfg.max_epochs': 1})
    cfg.dump(config)
    result = execute(
        sys.executable, 'tools/train.py', config, '--load-from', ours
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    assert (
        f'{ours}: took 30 tensors of the backbone; fresh: head.fc.weight, '
        'head.fc.bias; left out: head' in result.stdout
    )
