"""The pictures show what they say."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers import EMO_MAE, ROOT, build, tiny_config

sys.path.insert(0, str(ROOT / 'tools/visualization'))
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
