"""Datasets, one file or folder each, and what an experiment takes from them."""

from argo_ml.datasets.base import (
    Dataset,
    LoadedQuestions,
    OwnDocuments,
    QuestionSet,
    QuestionSource,
    RejectedLine,
)
from argo_ml.datasets.loading import (
    ALL_DATASETS,
    DATASETS,
    check_dataset,
    load_questions,
    own_documents,
)

__all__ = [
    "ALL_DATASETS",
    "DATASETS",
    "Dataset",
    "LoadedQuestions",
    "OwnDocuments",
    "QuestionSet",
    "QuestionSource",
    "RejectedLine",
    "check_dataset",
    "load_questions",
    "own_documents",
]
