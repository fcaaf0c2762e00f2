"""Pictures of reconstructions, without an effect on the training."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.hooks.tiny_runner import tiny_runner
from tests.helpers import run_distributed
from uniemox_mm.datasets.center_crops import center_crops, spread_paths
from uniemox_mm.engine import ReconstructionHook
from uniemox_mm.models.selfsup.reconstruction import (
    draw_masks,
    render_reconstructions,
)
from uniemox_mm.utils.figures import GAP, LINE

BACKENDS = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]


def runner_of(drawn, work_dir, hook=None, **top):
    def change(cfg):
        cfg.train_cfg.max_epochs = 2
        cfg.param_scheduler[1].end, cfg.param_scheduler[1].T_max = 2, 1
        # Detects any further draw of a random number.
        cfg.model.backbone.drop_rate = 0.1
        cfg.visualizer = dict(
            type='UniversalVisualizer', vis_backends=BACKENDS
        )
        if hook:
            cfg.default_hooks.reconstructions = dict(
                type='ReconstructionHook', **hook
            )

    return tiny_runner(drawn, work_dir, change, **top)


@pytest.mark.slow
def test_pictures_leave_training_bitwise_equal(drawn, tmp_path):
    from tensorboard.backend.event_processing import event_accumulator

    plain = runner_of(drawn, tmp_path / 'plain')
    plain.train()
    state = torch.get_rng_state()
    watched = runner_of(
        drawn, tmp_path / 'watched', dict(interval=1, num=3, seed=5)
    )
    watched.train()
    assert torch.equal(torch.get_rng_state(), state)
    expected = plain.model.state_dict()
    for name, value in watched.model.state_dict().items():
        assert torch.equal(value, expected[name]), name

    # 32 images in batches of 8: epochs end after 4 and 8 iterations.
    (folder,) = (tmp_path / 'watched').glob('*/vis_data')
    files = sorted((folder / 'vis_image').iterdir())
    assert [file.name for file in files] == [
        'reconstruction_4.png',
        'reconstruction_8.png',
    ]
    sheets = [np.asarray(Image.open(file)) for file in files]
    logged = event_accumulator.EventAccumulator(str(folder))
    logged.Reload()
    events = logged.Images('reconstruction')
    assert [event.step for event in events] == [4, 8]
    assert [(e.width, e.height) for e in events] == [
        sheet.shape[1::-1] for sheet in sheets
    ]

    paths = spread_paths(watched.train_dataloader.dataset, 3)
    found = render_reconstructions(
        watched.model, center_crops(paths, 32), draw_masks(3, 16, 5), 0.75
    )
    for row in range(3):
        top = GAP + LINE + row * (160 + GAP)
        for column, pictures in enumerate(
            (found.original, found.masked, found.reconstruction, found.pasted)
        ):
            left = GAP + column * (160 + GAP)
            cell = sheets[1][top : top + 160 : 5, left : left + 160 : 5]
            np.testing.assert_array_equal(cell, pictures[row])
    # The same images under the same masks, but other paint.
    half = 2 * (160 + GAP)
    np.testing.assert_array_equal(sheets[0][:, :half], sheets[1][:, :half])
    assert (sheets[0][:, half:] != sheets[1][:, half:]).any()


@pytest.mark.slow
def test_given_images_every_few_iterations(drawn, tmp_path):
    path = tmp_path / 'a.png'
    Image.new('RGB', (48, 32), 'red').save(path)
    hook = dict(images=str(path), interval=3, by_epoch=False, mask_ratio=0.5)
    runner_of(drawn, tmp_path / 'run', hook).train()
    files = sorted((tmp_path / 'run').glob('*/vis_data/vis_image/*'))
    assert [file.name for file in files] == [
        'reconstruction_3.png',
        'reconstruction_6.png',
    ]
    sheet = np.asarray(Image.open(files[0]))
    assert sheet.shape == (GAP + LINE + 160 + GAP, 4 * (160 + GAP) + GAP, 3)
    top = GAP + LINE
    assert (sheet[top : top + 160, GAP : GAP + 160] == (255, 0, 0)).all()
    masked = sheet[top : top + 160, 2 * GAP + 160 : 2 * GAP + 320]
    assert (masked == 128).all(-1).mean() == 0.5


def picture_in_two_processes(rank, world, drawn, folder):
    hook = ReconstructionHook(interval=1, num=2)
    runner = runner_of(drawn, folder)
    hook.before_train(runner)
    seen = []
    runner.visualizer.add_image = lambda name, image, step: seen.append(name)
    hook.after_train_epoch(runner)
    assert seen == (['reconstruction'] if rank == 0 else [])
    assert hasattr(hook, '_batch') == (rank == 0)


@pytest.mark.slow
def test_only_the_first_process_draws(drawn, tmp_path):
    run_distributed(2, picture_in_two_processes, drawn, tmp_path)


@pytest.mark.parametrize(
    ('hook', 'changes', 'message'),
    [
        (dict(mask_ratio=0.99), {}, 'leaves 0 of 16 patches visible'),
        (dict(images='gone.png'), {}, 'gone.png: no such image'),
        ({}, {'model.head': None}, 'EmoMAE reconstructs no images here'),
    ],
)
def test_impossible_settings_are_refused_at_the_start(
    drawn, tmp_path, hook, changes, message
):
    runner = runner_of(drawn, tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        ReconstructionHook(**hook).before_train(runner)


def test_numbers_must_be_positive():
    with pytest.raises(ValueError, match='must be positive: 0, 10'):
        ReconstructionHook(num=0)
    with pytest.raises(ValueError, match='must be positive: 4, 0'):
        ReconstructionHook(interval=0)
