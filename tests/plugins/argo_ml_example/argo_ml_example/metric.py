"""A measure of a question: whether it was retrieved for more than once."""

from __future__ import annotations

from argo_ml.results.metrics import retrieval_calls
from argo_ml.results.records import QuestionResult


def retrieved_twice(result: QuestionResult) -> float:
    return float(retrieval_calls(result) > 1)
