"""Sources of questions, one file each, and what an experiment takes from them."""

from argo_ml.datasets.base import Loaded, QuestionSet, QuestionSource, Rejected
from argo_ml.datasets.loading import SOURCES, load_questions

__all__ = ["SOURCES", "Loaded", "QuestionSet", "QuestionSource", "Rejected", "load_questions"]
