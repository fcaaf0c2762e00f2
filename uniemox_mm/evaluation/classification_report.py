"""Top-1, F1 and confusion of a classifier by scikit-learn, and their files."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn import metrics

from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.figures import save_figure


@dataclass(frozen=True)
class ClassificationReport:
    """Numbers of a classifier, in percent.

    Attributes:
        classes (list[str]): Names of the K classes.
        top1 (float): Images whose highest score is that of their class.
        macro_f1 (float): Mean of the F1 scores of all K classes; a class
            that neither occurs nor is predicted counts as 0.
        weighted_f1 (float): Their mean weighted by the number of images.
        precision (list[float]): Of each class.
        recall (list[float]): Of each class.
        f1 (list[float]): Of each class.
        support (list[int]): Number of images of each class.
        confusion (list[list[int]]): Images by true class (row) and
            predicted class (column), K x K.
    """

    classes: list[str]
    top1: float
    macro_f1: float
    weighted_f1: float
    precision: list[float]
    recall: list[float]
    f1: list[float]
    support: list[int]
    confusion: list[list[int]]

    @property
    def count(self) -> int:
        """Number of images."""
        return sum(self.support)

    def markdown(self, title: str = '') -> str:
        """A table of the whole, then one with a row per class."""
        lines = [f'# {title}', ''] if title else []
        lines += [
            '| images | top-1 | macro F1 | weighted F1 |',
            '|---|---|---|---|',
            f'| {self.count} | {self.top1:.2f} | {self.macro_f1:.2f} | '
            f'{self.weighted_f1:.2f} |',
            '',
            '| class | precision | recall | F1 | images |',
            '|---|---|---|---|---|',
        ]
        columns = (self.precision, self.recall, self.f1, self.support)
        for name, *percent, images in zip(self.classes, *columns, strict=True):
            numbers = ' | '.join(f'{value:.2f}' for value in percent)
            lines.append(f'| {name} | {numbers} | {images} |')
        return '\n'.join(lines) + '\n'


def evaluate(
    labels: Sequence[int] | np.ndarray,
    predictions: Sequence[int] | np.ndarray,
    classes: Sequence[str],
) -> ClassificationReport:
    """Compare predictions with labels.

    Args:
        labels (Sequence[int]): True classes, (N,).
        predictions (Sequence[int]): Predicted classes, (N,).
        classes (Sequence[str]): Names of the K classes.

    Returns:
        ClassificationReport: The numbers.

    Raises:
        ValueError: There are no images.
    """
    if not len(labels):
        raise ValueError('there are no predictions to evaluate')
    indices = list(range(len(classes)))
    found = metrics.classification_report(
        labels, predictions, labels=indices, output_dict=True, zero_division=0
    )
    rows = [found[str(index)] for index in indices]
    return ClassificationReport(
        classes=list(classes),
        top1=100 * float(metrics.accuracy_score(labels, predictions)),
        macro_f1=100 * found['macro avg']['f1-score'],
        weighted_f1=100 * found['weighted avg']['f1-score'],
        precision=[100 * row['precision'] for row in rows],
        recall=[100 * row['recall'] for row in rows],
        f1=[100 * row['f1-score'] for row in rows],
        support=[int(row['support']) for row in rows],
        confusion=metrics.confusion_matrix(
            labels, predictions, labels=indices
        ).tolist(),
    )


def write_report(
    folder: str | Path, report: ClassificationReport, title: str, **facts
) -> None:
    """Write ``metrics.json``, ``report.md`` and ``confusion_matrix.png``.

    Args:
        folder (str | Path): The folder to write to.
        report (ClassificationReport): The numbers.
        title (str): Of text and picture.
        **facts: Further entries of ``metrics.json``, plain JSON.
    """
    folder = Path(folder)
    draw_confusion(folder / 'confusion_matrix.png', report, title)
    with atomic_file(folder / 'report.md') as file:
        file.write(report.markdown(title))
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
    """Write a CSV with a row per image.

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
            # The name of a file need not be valid text.
            name = name.encode(errors='backslashreplace').decode()
            table.writerow([name, classes[int(label)], predicted, *numbers])


def draw_confusion(
    path: str | Path, report: ClassificationReport, title: str
) -> None:
    """Draw the confusion matrix: percent of each true class, and counts."""
    counts = np.array(report.confusion)
    percent = 100 * counts / counts.sum(1, keepdims=True).clip(min=1)
    size = 1.6 + 0.75 * len(counts)
    figure = Figure(figsize=(size + 0.8, size), dpi=120, layout='constrained')
    display = metrics.ConfusionMatrixDisplay(
        percent, display_labels=report.classes
    )
    display.plot(
        ax=figure.subplots(),
        cmap='Blues',
        colorbar=False,
        im_kw=dict(vmin=0, vmax=100),
        text_kw=dict(fontsize=8),
        xticks_rotation=45,
    )
    for index, text in np.ndenumerate(display.text_):
        count = counts[index]
        text.set_text(f'{percent[index]:.0f}\n({count})' if count else '')
    for label in display.ax_.get_xticklabels():
        label.set(ha='right', rotation_mode='anchor')
    display.ax_.set(xlabel='predicted', ylabel='true', title=title)
    figure.colorbar(display.im_, label='% of the true class', shrink=0.8)
    save_figure(path, figure)
