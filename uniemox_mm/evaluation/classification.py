"""The numbers of a classifier, by scikit-learn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)


@dataclass(frozen=True)
class ClassificationReport:
    """What a classifier gets right, in percent.

    Attributes:
        classes (list[str]): Names of the K classes.
        top1 (float): Share of the images whose highest score is right.
        macro_f1 (float): Mean of the F1 scores of all K classes; that of a
            class that is neither there nor predicted counts as 0.
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


def evaluate(
    labels: Sequence[int] | np.ndarray,
    predictions: Sequence[int] | np.ndarray,
    classes: Sequence[str],
) -> ClassificationReport:
    """Compares predictions with labels.

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
    indices = range(len(classes))
    of_classes = dict(labels=indices, zero_division=0)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predictions, average=None, **of_classes
    )

    def f1_mean(average: str) -> float:
        value = f1_score(labels, predictions, average=average, **of_classes)
        return 100 * float(value)

    return ClassificationReport(
        classes=list(classes),
        top1=100 * float(accuracy_score(labels, predictions)),
        macro_f1=f1_mean('macro'),
        weighted_f1=f1_mean('weighted'),
        precision=(100 * precision).tolist(),
        recall=(100 * recall).tolist(),
        f1=(100 * f1).tolist(),
        support=support.tolist(),
        confusion=confusion_matrix(
            labels, predictions, labels=indices
        ).tolist(),
    )
