"""Curves are the numbers of the log."""

import json

import pytest
from matplotlib.colors import to_hex

from uniemox_mm.visualization.training_curves import (
    draw_training_curves,
    read_training_log,
)


def write_log(work_dir, name, entries, tail=''):
    folder = work_dir / name / 'vis_data'
    folder.mkdir(parents=True)
    lines = '\n'.join(json.dumps(entry) for entry in entries)
    (folder / 'scalars.json').write_text(lines + tail)
    return work_dir


def step(number, **values):
    machine = dict(time=0.1, data_time=0.1, memory=5, base_lr=1.0)
    return dict(machine, epoch=1, iter=number, step=number, **values)


def test_the_logs_of_a_resumed_run_are_joined(tmp_path):
    first = [
        step(1, loss=3.0, lr=0.1),
        {'accuracy/top1': 20.0, 'time': 0.1, 'data_time': 0.1, 'step': 1},
        step(2, loss=2.0, lr=0.2),
        step(3, loss=1.9, lr=0.3),
    ]
    second = [
        step(2, loss=1.5, loss_rec=0.5, lr=0.2),
        {'accuracy/top1': 40.0, 'single-label/f1-score': 30.0, 'step': 2},
    ]
    write_log(tmp_path, '20260101_1', first)
    write_log(tmp_path, '20260101_2', second)
    found = read_training_log(tmp_path)
    assert found.training == {
        'loss': [(1, 3.0), (2, 1.5)],
        'lr': [(1, 0.1), (2, 0.2)],
        'loss_rec': [(2, 0.5)],
    }
    assert found.validation == {
        'accuracy/top1': [(1, 20.0), (2, 40.0)],
        'single-label/f1-score': [(2, 30.0)],
    }
    assert found.by_epoch


def test_iterations_without_epochs(tmp_path):
    entries = [dict(loss=1.0, iter=5, step=5), dict(accuracy=7.0, step=5)]
    found = read_training_log(write_log(tmp_path, 'a', entries))
    assert found.training == dict(loss=[(5, 1.0)])
    assert found.validation == dict(accuracy=[(5, 7.0)])
    assert not found.by_epoch


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    write_log(tmp_path, 'a', [step(1, loss=3.0)], tail='\n{"loss": 2.')
    assert read_training_log(tmp_path).training == dict(loss=[(1, 3.0)])


def test_broken_and_missing_logs_are_named(tmp_path):
    work_dir = tmp_path / 'no'
    with pytest.raises(FileNotFoundError, match=f'{work_dir}.*scalars.json'):
        read_training_log(work_dir)
    write_log(tmp_path / 'b', 'a', [step(1, loss=3.0)], tail='\n?\n{}')
    with pytest.raises(ValueError, match=r'scalars\.json, line 2: .* JSON'):
        read_training_log(tmp_path / 'b')
    write_log(tmp_path / 'c', 'a', [])
    with pytest.raises(ValueError, match='c: nothing was logged yet'):
        read_training_log(tmp_path / 'c')


def test_lines_are_the_numbers_and_runs_keep_their_colors(tmp_path):
    one = [step(1, loss=3.0, lr=0.1), step(2, loss=2.0, lr=0.2)]
    two = [step(1, loss=5.0, loss_rec=4.0), {'accuracy/top1': 9.0, 'step': 1}]
    logs = {
        'one': read_training_log(write_log(tmp_path / '1', 'a', one)),
        'two': read_training_log(write_log(tmp_path / '2', 'a', two)),
    }
    figure = draw_training_curves(logs)
    top1 = 'accuracy/top1 (%)'
    panels = {axis.get_title(): axis for axis in figure.axes}
    assert list(panels) == ['loss', 'loss_rec', 'learning rate', top1]
    drawn = {
        (title, line.get_label()): line.get_xydata().tolist()
        for title, axis in panels.items()
        for line in axis.lines
        if line.get_xydata().size
    }
    assert drawn == {
        ('loss', 'one'): [[1, 3], [2, 2]],
        ('loss', 'two'): [[1, 5]],
        ('loss_rec', 'two'): [[1, 4]],
        ('learning rate', 'one'): [[1, 0.1], [2, 0.2]],
        (top1, 'two'): [[1, 9]],
    }
    colors = [to_hex('C0'), to_hex('C1')]
    for axis in panels.values():
        assert [to_hex(line.get_color()) for line in axis.lines] == colors
        styles = [line.get_linestyle() for line in axis.lines]
        assert styles == ['-', '--']  # equal curves are both seen
    assert panels['loss'].get_xlabel() == 'iteration'
    assert panels[top1].get_xlabel() == 'epoch'
