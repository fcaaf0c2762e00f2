"""Metrics of classifiers, k-NN, and the results of the paper."""

from .classification_report import ClassificationReport, evaluate
from .emotion_report import EmotionReport

__all__ = ['ClassificationReport', 'EmotionReport', 'evaluate']
