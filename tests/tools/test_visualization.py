"""The commands of tools/visualization: their files, output and errors."""

import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch
from drawn_emoset import draw_class_folders
from PIL import Image

from tests.apis.classifiers import write_work_dir
from tests.helpers import EMO_MAE, ROOT, build, tiny_config

FINETUNE = ROOT / 'configs/finetune/vit-tiny_demo.py'


@pytest.fixture
def run(monkeypatch):
    """Runs a command in this process, without its import time."""

    def call(name, *arguments):
        path = str(ROOT / f'tools/visualization/{name}.py')
        monkeypatch.setattr(sys, 'argv', [path, *map(str, arguments)])
        runpy.run_path(path, run_name='__main__')

    return call


@pytest.fixture
def refusal(run):
    """The last words of a command that fails."""

    def call(name, *arguments):
        with pytest.raises(SystemExit) as stopped:
            run(name, *arguments)
        return str(stopped.value)

    return call


@pytest.fixture(scope='module')
def emo8(tmp_path_factory):
    root = tmp_path_factory.mktemp('tools') / 'emo8'
    return draw_class_folders(root, per_class=10, size=40)


@pytest.fixture(scope='module')
def work_dir(emo8):
    return write_work_dir(emo8.parent / 'ft', str(emo8))


@pytest.fixture(scope='module')
def pretrained(drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp('pretrained')
    tiny_config(drawn, folder).dump(folder / 'c.py')
    model = build(EMO_MAE)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_1.pth')
    return folder


@pytest.mark.slow
def test_reconstruct_as_a_user_runs_it(pretrained, tmp_path):
    out = tmp_path / 'new' / 'r.png'
    done = subprocess.run(
        [
            sys.executable, 'tools/visualization/reconstruct.py',
            '--checkpoint', pretrained, '--num', '2', '--out', out,
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.stdout.endswith(f'Reconstructions: {out}\n')
    assert Image.open(out).size == (4 * 166 + 6, 6 + 2 * 16 + 2 * 166)


def test_pictures_are_drawn(run, work_dir, pretrained, emo8, tmp_path, capsys):
    image = emo8 / 'awe' / '00000.jpg'
    log = work_dir / '1' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('{"loss": 1.0, "lr": 0.1, "iter": 1, "step": 1}')
    for name, arguments, printed in (
        ('cam', [image, '--checkpoint', work_dir], 'Grad-CAM'),
        ('cam', [image, '--checkpoint', work_dir, '--target', 'awe'], 'Grad'),
        ('embed', ['--checkpoint', work_dir, '--seed', '1'], 't-SNE'),
        ('training_curves', [work_dir], 'Training curves'),
        ('browse_pairs', [pretrained / 'c.py', '--num', '3'], '3 of 32'),
    ):
        out = tmp_path / 'new' / f'{printed}.png'
        run(name, *arguments, '--out', out)
        said = capsys.readouterr().out
        assert printed in said and str(out) in said
        assert (np.asarray(Image.open(out).convert('L')) < 200).any()


def test_embed_takes_a_pretrained_encoder(
    run, work_dir, pretrained, tmp_path, capsys
):
    checkpoint, config = pretrained / 'epoch_1.pth', work_dir / 'ft.py'
    out = tmp_path / 'e.png'
    run('embed', '--checkpoint', checkpoint, '--config', config, '--out', out)
    assert 'epoch_1: silhouette' in capsys.readouterr().out
    assert out.is_file()


def test_errors_name_the_file_or_option(refusal, work_dir, emo8, tmp_path):
    text = tmp_path / 'text.jpg'
    text.write_text('no image')
    checkpoint = ['--checkpoint', work_dir]
    data = f'train_dataloader.dataset.data_root={emo8}'
    whole = 'train_dataloader.dataset.fraction=1.0'
    for name, arguments, message in (
        ('reconstruct', ['--checkpoint', 'gone'], 'gone: no such checkpoint'),
        ('reconstruct', [*checkpoint, '--num', '0'], '--num 0: '),
        (
            'reconstruct',
            [*checkpoint, '--images', 'nowhere.jpg'],
            'nowhere.jpg: no such image',
        ),
        ('reconstruct', checkpoint, 'ft: ImageClassifier reconstructs no'),
        (
            'browse_pairs',
            [FINETUNE, '--cfg-options', data, whole],
            'the pipeline of this config has no SceneAndPerson',
        ),
        ('browse_pairs', [FINETUNE, '--out', 'a.gif'], '--num must be'),
        ('cam', [text, *checkpoint], f'{text}: '),
        (
            'cam',
            [text, *checkpoint, '--target', 'joy'],
            "ft: no class 'joy'; expected one of amusement, awe",
        ),
        (
            'embed',
            [*checkpoint, '--data-root', tmp_path / 'no'],
            str(tmp_path / 'no'),
        ),
        ('training_curves', [tmp_path / 'no'], f'{tmp_path}/no: has no */vis'),
    ):
        said = refusal(name, *arguments)
        assert said.startswith(message), said


def test_grad_cam_is_an_extra(refusal, work_dir, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)
    Image.new('RGB', (40, 40)).save(tmp_path / 'a.png')
    said = refusal('cam', tmp_path / 'a.png', '--checkpoint', work_dir)
    assert said.startswith('Grad-CAM needs the package grad-cam: pip install')
