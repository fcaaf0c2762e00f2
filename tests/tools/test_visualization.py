"""The pictures show what they say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmpretrain.registry import DATASETS
from PIL import Image

from tests.helpers import EMO_MAE, ROOT, build, tiny_config

sys.path.insert(0, str(ROOT / 'tools/visualization'))
from browse_pairs import CELL, GAP, THICK, draw_sheet, read_pair
from plot_losses import read_scalars
from reconstruct import draw_grid, load_images


def test_loss_curves_of_all_sittings_are_joined(tmp_path):
    sittings = {
        '20260101_1': [dict(loss=3.0, lr=1, step=1), dict(loss=2.0, step=2)],
        '20260101_2': [dict(loss=1.5, loss_rec=0.5, step=2)],
    }
    for name, entries in sittings.items():
        folder = tmp_path / name / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(
            '\n'.join(json.dumps(entry) for entry in entries)
        )
    assert read_scalars(tmp_path) == dict(
        loss=[(1, 3.0), (2, 1.5)], loss_rec=[(2, 0.5)]
    )


def test_images_are_centre_crops(drawn, tmp_path):
    cfg = tiny_config(drawn, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    (found,) = load_images(cfg, [str(tmp_path / 'a.png')], 'test', 8)
    expected = pixels[:, 8:40, ::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(found.numpy(), expected)
    assert load_images(cfg, [], 'test', 5).shape == (5, 3, 32, 32)
    assert load_images(cfg, [], 'test', 99).shape == (8, 3, 32, 32)


def test_grid_puts_every_picture_in_its_place():
    columns = [
        np.full((3, 32, 32, 3), 60 * (i + 1), np.uint8) for i in range(4)
    ]
    columns[2][1] = 7
    grid = np.asarray(draw_grid(columns))
    assert grid[18 + 10, 10].tolist() == [60] * 3
    assert grid[18 + 132 + 10, 2 * 132 + 10].tolist() == [7] * 3
    assert grid[18 + 2 * 132 + 10, 3 * 132 + 10].tolist() == [240] * 3


@pytest.mark.slow
def test_reconstruct_from_the_command_line(drawn, tmp_path):
    cfg = tiny_config(drawn, tmp_path)
    cfg.dump(tmp_path / 'c.py')
    model = build(EMO_MAE)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    out = tmp_path / 'new' / 'r.png'
    subprocess.run(
        [
            sys.executable, 'tools/visualization/reconstruct.py',
            tmp_path / 'c.py', tmp_path, '--num', '2', '--out', out,
        ],
        cwd=ROOT,
        check=True,
        timeout=120,
    )  # fmt: skip
    picture = np.asarray(Image.open(out))
    assert picture.shape == (18 + 2 * 132, 4 * 132, 3)
    original = picture[18 : 18 + 128, :128]
    masked = picture[18 : 18 + 128, 132 : 132 + 128]
    pasted = picture[18 : 18 + 128, 3 * 132 : 3 * 132 + 128]
    hidden = (masked == 128).all(-1)
    assert hidden.mean() == pytest.approx(0.75, abs=0.01)
    # What was visible is shown as it is.
    difference = abs(original.astype(int) - pasted.astype(int)).max(-1)
    assert difference[~hidden].max() <= 1
    assert difference[hidden].mean() > 1


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
    for row, column in ((0, 0), (0, 1), (1, 0)):
        top = row * sheet.shape[0] // 2 + GAP
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
