"""Writes the results of a classifier for people and for programs."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib
import numpy as np

from uniemox_mm.utils.atomic_files import atomic_file

from .classification import ClassificationReport


def markdown(report: ClassificationReport, title: str = '') -> str:
    """The numbers as text: a summary, then a line a class."""
    lines = [f'# {title}', ''] if title else []
    lines += [
        '| images | top-1 | macro F1 | weighted F1 |',
        '|---|---|---|---|',
        f'| {report.count} | {report.top1:.2f} | {report.macro_f1:.2f} | '
        f'{report.weighted_f1:.2f} |',
        '',
        '| class | precision | recall | F1 | images |',
        '|---|---|---|---|---|',
    ]
    lines += [
        f'| {name} | {precision:.2f} | {recall:.2f} | {f1:.2f} | {images} |'
        for name, precision, recall, f1, images in zip(
            report.classes,
            report.precision,
            report.recall,
            report.f1,
            report.support,
            strict=True,
        )
    ]
    return '\n'.join(lines) + '\n'


def write_report(
    folder: str | Path, report: ClassificationReport, title: str, **facts
) -> None:
    """Writes ``metrics.json``, ``report.md`` and ``confusion_matrix.png``.

    Args:
        folder (str | Path): Where to.
        report (ClassificationReport): The numbers.
        title (str): Of text and picture.
        **facts: What else ``metrics.json`` says, plain JSON.
    """
    folder = Path(folder)
    draw_confusion(folder / 'confusion_matrix.png', report, title)
    with atomic_file(folder / 'report.md') as file:
        file.write(markdown(report, title))
    # Last, since its being there says that the others are.
    with atomic_file(folder / 'metrics.json') as file:
        content = dict(images=report.count, **asdict(report), **facts)
        json.dump(content, file, indent=1)


def write_predictions(
    path: str | Path,
    names: Sequence[str],
    labels: np.ndarray,
    scores: np.ndarray,
    classes: Sequence[str],
) -> None:
    """Writes a CSV with a line an image.

    Args:
        path (str | Path): The file.
        names (Sequence[str]): Paths of the N images.
        labels (np.ndarray): True classes, (N,).
        scores (np.ndarray): Probabilities, (N, K).
        classes (Sequence[str]): Names of the K classes.
    """
    with atomic_file(path) as file:
        table = csv.writer(file, lineterminator='\n')
        table.writerow(['image', 'label', 'prediction', *classes])
        for name, label, row in zip(names, labels, scores, strict=True):
            predicted = classes[int(row.argmax())]
            numbers = [f'{value:.6f}' for value in row]
            # A file's name need not be text.
            name = name.encode(errors='backslashreplace').decode()
            table.writerow([name, classes[int(label)], predicted, *numbers])


def draw_confusion(
    path: str | Path, report: ClassificationReport, title: str
) -> None:
    """Draws the confusion matrix: percent of each true class, and counts."""
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    counts = np.array(report.confusion)
    share = 100 * counts / counts.sum(1, keepdims=True).clip(min=1)
    size = 1.6 + 0.75 * len(counts)
    figure, axis = plt.subplots(
        figsize=(size + 0.8, size), layout='constrained'
    )
    image = axis.imshow(share, cmap='Blues', vmin=0, vmax=100)
    ticks = range(len(counts))
    axis.set_xticks(ticks, report.classes, rotation=45, ha='right')
    axis.set_yticks(ticks, report.classes)
    axis.set(xlabel='predicted', ylabel='true', title=title)
    for row in ticks:
        for column in ticks:
            if counts[row, column]:
                axis.text(
                    column,
                    row,
                    f'{share[row, column]:.0f}\n({counts[row, column]})',
                    ha='center',
                    va='center',
                    fontsize=8,
                    color='white' if share[row, column] > 55 else 'black',
                )
    figure.colorbar(image, label='% of the true class', shrink=0.8)
    with atomic_file(path, 'wb') as file:
        figure.savefig(file, dpi=120, format='png')
    plt.close(figure)
