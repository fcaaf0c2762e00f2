"""Training curves of runs, from what MMEngine logs."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# What is logged about the machine, and what only says when.
_LEFT_OUT = {
    'base_lr',
    'data_time',
    'epoch',
    'iter',
    'memory',
    'step',
    'time',
}
_PANEL = 4.0, 3.0  # inches
_COLUMNS = 4
# In line widths: on, off.
_STYLES = ('-', (0, (4, 2)), (0, (1, 2)), (0, (6, 2, 1, 2)))
# Metrics of MMPretrain in percent.
_PERCENT = ('accuracy/', 'single-label/')

Curves = dict[str, list[tuple[int, float]]]


@dataclass
class TrainingLog:
    """Curves of a run.

    Attributes:
        training (Curves): Loss or learning rate -> (iteration, value), in
            order.
        validation (Curves): Metric -> (step, value), in order.
        by_epoch (bool): Whether the steps of ``validation`` are epochs or
            iterations.
    """

    training: Curves = field(default_factory=dict)
    validation: Curves = field(default_factory=dict)
    by_epoch: bool = True


def read_training_log(work_dir: str | Path) -> TrainingLog:
    """Read the curves of a run that may have been resumed.

    Where a resumed run starts before the end of the earlier one, its values
    replace those.

    Args:
        work_dir (str | Path): Work dir of ``tools/train.py``.

    Returns:
        TrainingLog: All losses, the learning rate and all metrics of
        validation, as logged.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: A log is broken or empty.
    """
    work_dir = Path(work_dir)
    paths = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not paths:
        raise FileNotFoundError(
            f'{work_dir}: has no */vis_data/scalars.json; expected the work '
            'dir of a run (LocalVisBackend writes this log)'
        )
    training: Curves = {}
    validation: Curves = {}
    epochs = []
    for path in paths:
        entries = _read(path)
        trained = [entry for entry in entries if 'iter' in entry]
        tested = [entry for entry in entries if 'iter' not in entry]
        epochs += [entry['epoch'] for entry in trained if 'epoch' in entry]
        _append(training, trained)
        _append(validation, tested)
    if not training and not validation:
        raise ValueError(f'{work_dir}: nothing was logged yet')
    return TrainingLog(training, validation, bool(epochs))


def _read(path: Path) -> list[dict]:
    lines = path.read_text().splitlines()
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):  # else a kill may have cut the line off
                raise ValueError(
                    f'{path}, line {number}: {error}; expected JSON as '
                    'LocalVisBackend writes it'
                ) from None
    return entries


def _append(curves: Curves, entries: list[dict]) -> None:
    """Append the entries of a process to the curves of those before it."""
    found: Curves = defaultdict(list)
    for entry in entries:
        for name, value in entry.items():
            if name not in _LEFT_OUT and 'step' in entry:
                found[name].append((entry['step'], value))
    for name, points in found.items():
        first = points[0][0]
        before = [point for point in curves.get(name, ()) if point[0] < first]
        curves[name] = before + points


def draw_training_curves(logs: Mapping[str, TrainingLog]) -> Figure:
    """Draw a panel for each logged value, with a line for each run.

    Losses and learning rates are drawn over the iterations, from 0; metrics
    of validation over the epochs, with a dot each. Later runs are dashed, so
    that equal curves remain visible below them.

    Args:
        logs (Mapping[str, TrainingLog]): Name -> its curves.

    Returns:
        Figure: The panels.
    """
    training = {name: log.training for name, log in logs.items()}
    validation = {name: log.validation for name, log in logs.items()}
    steps = {log.by_epoch for log in logs.values() if log.validation}
    after = ' or '.join('epoch' if by else 'iteration' for by in steps)
    panels = [
        *((title, training, 'iteration', '') for title in _titles(training)),
        *((title, validation, after, 'o') for title in _titles(validation)),
    ]
    rows = -(-len(panels) // _COLUMNS)
    columns = -(-len(panels) // rows)
    figure = Figure(
        figsize=(columns * _PANEL[0], rows * _PANEL[1] + 0.4),
        dpi=110,
        layout='constrained',
    )
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, (title, runs, label, marker) in zip(axes, panels, strict=False):
        for number, (name, curves) in enumerate(runs.items()):
            points = curves.get(title, [])
            x, y = zip(*points, strict=True) if points else ((), ())
            # The same color in all panels, even if a run is missing in one.
            (line,) = axis.plot(x, y, f'C{number % 10}', marker=marker)
            line.set(label=name, linestyle=_STYLES[number % len(_STYLES)])
        axis.set(title=_panel_title(title), xlabel=label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if not marker:
            axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    if len(logs) > 1:
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(
            *(handles, names),
            loc='outside lower center',
            ncols=min(len(names), 6),
            frameon=False,
        )
    return figure


def _panel_title(name: str) -> str:
    if name == 'lr':
        return 'learning rate'
    return f'{name} (%)' if name.startswith(_PERCENT) else name


def _titles(runs: Mapping[str, Curves]) -> list[str]:
    """Names in any run, as logged, but the loss first and the rate last."""
    found = {title: None for curves in runs.values() for title in curves}
    return sorted(found, key=lambda title: (title == 'lr', title != 'loss'))
