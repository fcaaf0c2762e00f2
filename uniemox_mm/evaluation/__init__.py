"""Measuring classifiers."""

from .classification import ClassificationReport, evaluate
from .emotion_report import EmotionReport

__all__ = ['ClassificationReport', 'EmotionReport', 'evaluate']
