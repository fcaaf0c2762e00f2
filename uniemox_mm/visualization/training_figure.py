"""Training curves of runs in one picture."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from uniemox_mm.utils.figures import save_figure

from .training_logs import Curves, TrainingLog

_PANEL = 4.0, 3.0  # inches
_COLUMNS = 4
# Of line width: drawn, left out.
_STYLES = ('-', (0, (4, 2)), (0, (1, 2)), (0, (6, 2, 1, 2)))
# What MMPretrain's metrics give in percent.
_PERCENT = ('accuracy/', 'single-label/')


def draw_training(path: str | Path, logs: Mapping[str, TrainingLog]) -> None:
    """Draws a panel for each number that was logged, a line for each run.

    Losses start at 0, learning rates as well; both are drawn over the
    iterations, what validation gave over the epochs, with a dot each time.
    Later runs are dashed, so that equal ones are seen below them.

    Args:
        path (str | Path): The file, a PNG.
        logs (Mapping[str, TrainingLog]): Name -> its curves.
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
            # The same color in all panels, also where a run is not in one.
            (line,) = axis.plot(x, y, f'C{number % 10}', marker=marker)
            line.set(label=name, linestyle=_STYLES[number % len(_STYLES)])
        axis.set(title=_with_unit(title), xlabel=label)
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
    save_figure(path, figure)


def _with_unit(title: str) -> str:
    return f'{title} (%)' if title.startswith(_PERCENT) else title


def _titles(runs: Mapping[str, Curves]) -> list[str]:
    """What any run has, as logged, but the total first and the rate last."""
    found = {title: None for curves in runs.values() for title in curves}
    return sorted(found, key=lambda title: (title == 'lr', title != 'loss'))
