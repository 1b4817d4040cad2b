"""Sources of questions, one file each, and what an experiment takes from them."""

from argo_ml.datasets.base import Loaded, QuestionSet, QuestionSource, RejectedLine
from argo_ml.datasets.loading import SOURCES, load_questions

__all__ = ["SOURCES", "Loaded", "QuestionSet", "QuestionSource", "RejectedLine", "load_questions"]
