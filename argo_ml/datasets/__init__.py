"""Sources of questions, one file each, and what an experiment takes from them."""

from argo_ml.datasets.base import LoadedQuestions, QuestionSet, QuestionSource, RejectedLine
from argo_ml.datasets.loading import SOURCES, load_questions

__all__ = [
    "SOURCES",
    "LoadedQuestions",
    "QuestionSet",
    "QuestionSource",
    "RejectedLine",
    "load_questions",
]
