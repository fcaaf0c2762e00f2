"""The pictures show what they say."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_emoset import draw_class_folders
from mmpretrain.registry import DATASETS
from PIL import Image

from tests.apis.classifiers import write_work_dir
from tests.helpers import EMO_MAE, ROOT, build, tiny_config

sys.path.insert(0, str(ROOT / 'tools/visualization'))
from browse_pairs import (
    CELL,
    GAP,
    HEAD,
    LINE,
    THICK,
    THIN,
    draw_sheet,
    read_pair,
)


def load_tool(name):
    return importlib.import_module(name)


PAINT = load_tool('reconstruct')
PAIRS = load_tool('browse_pairs')
FINETUNE = ROOT / 'configs/finetune/vit-tiny_demo.py'
LOOK, EMBED = load_tool('cam'), load_tool('embed')
CURVES = load_tool('training_curves')


def refusal(tool, monkeypatch, *arguments):
    """What a command line says before it ends with an error."""
    monkeypatch.setattr(sys, 'argv', ['tool', *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        tool.main()
    return str(stopped.value)


@pytest.mark.slow
def test_reconstruct_from_the_command_line(drawn, tmp_path):
    cfg = tiny_config(drawn, tmp_path)
    cfg.dump(tmp_path / 'c.py')
    model = build(EMO_MAE)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    out = tmp_path / 'new' / 'r.png'
    done = subprocess.run(
        [
            sys.executable, 'tools/visualization/reconstruct.py',
            '--checkpoint', tmp_path, '--num', '2', '--out', out,
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.stdout.endswith(f'Reconstructions: {out}\n')
    assert Image.open(out).size == (4 * 166 + 6, 6 + 2 * 16 + 2 * 166)


def test_the_same_from_python(tmp_path, monkeypatch, capsys):
    """Grad-CAM, t-SNE and curves by their command lines, in this process."""
    data = draw_class_folders(tmp_path / 'emo8', per_class=10, size=40)
    work_dir = write_work_dir(tmp_path / 'ft', str(data))
    image = str(data / 'awe' / '00000.jpg')
    log = work_dir / '1' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('{"loss": 1.0, "lr": 0.1, "iter": 1, "step": 1}')
    for tool, arguments, said in (
        (LOOK, [image, '--checkpoint', work_dir], 'Activation maps'),
        (LOOK, [image, '--checkpoint', work_dir, '--target', 'awe'], 'Act'),
        (EMBED, ['--checkpoint', work_dir, '--seed', '1'], 't-SNE'),
        (CURVES, [work_dir], 'Training curves'),
    ):
        out = tmp_path / 'new' / f'{said}.png'
        command = ['tool', *arguments, '--out', out]
        monkeypatch.setattr(sys, 'argv', list(map(str, command)))
        tool.main()
        assert f'{said}' in capsys.readouterr().out
        assert (np.asarray(Image.open(out).convert('L')) < 200).any()


def test_command_lines_say_what_is_wrong(tmp_path, monkeypatch):
    work_dir = write_work_dir(tmp_path / 'ft')
    text = tmp_path / 'text.jpg'
    text.write_text('no image')
    path = work_dir / 'epoch_3.pth'
    folder = draw_class_folders(tmp_path / 'emo8', per_class=10, size=40)
    data = f'train_dataloader.dataset.data_root={folder}'
    whole = 'train_dataloader.dataset.fraction'
    for tool, arguments, message in (
        (PAINT, ['--checkpoint', 'gone'], 'gone: no such checkpoint'),
        (
            PAINT,
            ['--checkpoint', work_dir, '--num', '0'],
            '--num 0: expected at least 1',
        ),
        (
            PAINT,
            ['--checkpoint', work_dir, '--images', 'nowhere.jpg'],
            'nowhere.jpg: no such image',
        ),
        (
            PAIRS,
            [FINETUNE, '--cfg-options', data, f'{whole}=1.0'],
            'the pipeline of this config has no SceneAndPerson; expected a '
            'config of pretraining, such as configs/uniemox_vit-l_pretrain.py',
        ),
        (
            PAINT,
            ['--checkpoint', work_dir],
            f'{path}: ImageClassifier reconstructs no images here: expected '
            'EmoMAE or MAE with a decoder and a head (pretraining, with L1)',
        ),
        (
            LOOK,
            [text, '--checkpoint', work_dir],
            f'{text}: expected a readable image, but it is not an image',
        ),
        (
            LOOK,
            [text, '--checkpoint', work_dir, '--target', 'joy'],
            f"{path}: knows no class 'joy'; it has amusement, awe",
        ),
        (
            EMBED,
            ['--checkpoint', work_dir, '--data-root', tmp_path / 'no'],
            str(tmp_path / 'no'),
        ),
        (
            CURVES,
            [tmp_path / 'no'],
            f'{tmp_path}/no: has no */vis_data/scalars.json; expected the',
        ),
    ):
        said = refusal(tool, monkeypatch, *arguments)
        assert said.startswith(message), said
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)
    Image.new('RGB', (40, 40)).save(text.with_suffix('.png'))
    arguments = [text.with_suffix('.png'), '--checkpoint', work_dir]
    said = refusal(LOOK, monkeypatch, *arguments)
    assert said == (
        'Grad-CAM needs the package grad-cam: pip install grad-cam, or pip '
        "install -e '.[pictures]'"
    )


def test_pairs_show_the_box_that_is_cut_out(drawn, tmp_path):
    dataset = DATASETS.build(
        tiny_config(drawn, tmp_path).train_dataloader.dataset
    )
    seen = 0
    for index in range(len(dataset)):
        (original, scene, person), text = read_pair(dataset, index, 0)
        info = dataset.get_data_info(index)
        label = dataset.metainfo['classes'][info['gt_label']]
        name = Path(info['img_path']).name
        people = {0: '0 people', 1: '1 person', 2: '2 people'}
        count = people[len(info['persons'])]
        caption = dataset.caption_of(index)
        assert text == f'{label} ({name}, {count}): {caption}'
        assert scene.size == person.size == (32, 32)
        plain = Image.open(info['img_path'])
        assert max(original.size) == CELL
        zoom = original.width / plain.width
        marked = np.asarray(original) == THICK
        if not info['persons']:
            assert not marked.all(-1).any()
            continue
        boxes = np.array(info['persons'])[:, :4]
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        x1, y1, x2, y2 = boxes[areas.argmax()]
        rows, columns = marked.all(-1).nonzero()
        # PersonCrop of the demo takes 5 % more on each side, in the image.
        more_x, more_y = 0.05 * (x2 - x1), 0.05 * (y2 - y1)
        # PersonCrop rounds outwards to whole pixels of the original.
        left, top = max(0, x1 - more_x), max(0, y1 - more_y)
        right = min(plain.width, x2 + more_x)
        assert abs(columns.min() - zoom * left) <= 1 + zoom
        assert abs(rows.min() - zoom * top) <= 1 + zoom
        assert abs(columns.max() + 1 - zoom * right) <= 1 + zoom
        seen += 1
    assert seen > 10


def test_a_broken_sample_is_shown_as_its_error(own_drawn, tmp_path):
    cfg = tiny_config(own_drawn, tmp_path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    Path(dataset.get_data_info(3)['img_path']).write_bytes(b'')
    views, text = read_pair(dataset, 3, 0)
    assert views == [] and 'expected a readable image' in text
    sheet = draw_sheet([([], text)])
    assert (np.asarray(sheet) < 100).any()


def test_the_sheet_has_every_view_in_its_place():
    views = [Image.new('RGB', (80, 40), (0, 0, 50 * i)) for i in (1, 2, 3)]
    sheet = np.asarray(draw_sheet([(views, '')] * 3))
    head, sheet = sheet[:HEAD], sheet[HEAD:]
    for color in (THICK, THIN):  # of the legend
        assert (head == color).all(-1).sum() > 40
    for row, column in ((0, 0), (0, 1), (1, 0)):
        top = row * sheet.shape[0] // 2 + GAP
        titles = head[-GAP - LINE :, column * sheet.shape[1] // 2 :]
        for i in range(3):  # there is one over each view
            assert (titles[:, GAP + i * (CELL + GAP) :][:, :40] < 99).any()
        left = column * sheet.shape[1] // 2 + GAP
        for i in range(3):
            x = left + i * (CELL + GAP)
            place = sheet[top : top + CELL // 2, x : x + CELL]
            assert (place == (0, 0, 50 * (i + 1))).all()
    assert (sheet[sheet.shape[0] // 2 :, sheet.shape[1] // 2 :] == 255).all()


@pytest.mark.slow
def test_browse_pairs_as_a_user_runs_it(drawn, tmp_path):
    config = tmp_path / 'config.py'
    tiny_config(drawn, tmp_path).dump(config)
    result = subprocess.run(
        [
            *(sys.executable, 'tools/visualization/browse_pairs.py'),
            *(str(config), '--num', '3', '--out', str(tmp_path / 'a/b.png')),
        ],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    said = f'3 of 32 samples of {drawn}: {tmp_path}/a/b.png'
    assert said in result.stdout
    Image.open(tmp_path / 'a/b.png').load()
