"""The numbers that MMEngine logs while it trains."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

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

Curves = dict[str, list[tuple[int, float]]]


@dataclass
class TrainingLog:
    """The curves of a run.

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
    """Reads the curves of all sittings of a run.

    Where a later sitting starts again before the end of an earlier one, its
    values replace those.

    Args:
        work_dir (str | Path): The work dir of a run of ``tools/train.py``.

    Returns:
        TrainingLog: Every loss, the learning rate and all that validation
        gives, as logged.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: A log is broken, or there is nothing in it.
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
        _go_on(training, trained)
        _go_on(validation, tested)
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


def _go_on(curves: Curves, entries: list[dict]) -> None:
    """Adds a sitting to the curves of those before it."""
    found: Curves = defaultdict(list)
    for entry in entries:
        for name, value in entry.items():
            if name not in _LEFT_OUT and 'step' in entry:
                found[name].append((entry['step'], value))
    for name, points in found.items():
        first = points[0][0]
        before = [point for point in curves.get(name, ()) if point[0] < first]
        curves[name] = before + points
