"""Questions that a pipeline could not answer, beside which a recording goes on."""

from __future__ import annotations

import threading

from argo_ml.errors import ModelError
from argo_ml.results.unanswered import first_ids
from argo_ml.types import Question

MOST_IN_A_ROW = 10
"""Failures without an answer between them that look like a pipeline which answers nothing."""
_ENDED = (
    f"; {MOST_IN_A_ROW} in a row failed, so no more was asked; to those that are refused for good "
    "give an empty answer"
)


class Failures:
    """Collects why questions could not be answered; threads may share it."""

    def __init__(self) -> None:
        self._errors: dict[str, ModelError] = {}
        self._n_in_a_row = 0
        self._lock = threading.Lock()
        self.are_all = False
        """Whether nothing is answered any more, which stays so for those that are under way."""

    def add(self, question: Question, error: ModelError) -> None:
        with self._lock:
            self._errors.setdefault(question.id, error)
            self._n_in_a_row += 1
            self.are_all = self.are_all or self._n_in_a_row >= MOST_IN_A_ROW

    def end_row(self) -> None:
        """A question was answered."""
        with self._lock:
            self._n_in_a_row = 0

    def check(self) -> None:
        """Raises `ModelError` with the first reason, which names the others; nothing without
        any."""
        if not self._errors:
            return
        first, *others = self._errors
        named = f"; nor could {len(others)} more be answered: {first_ids(others)}" if others else ""
        ended = _ENDED if self.are_all else ""
        raise ModelError(f"{self._errors[first]}{named}{ended}") from self._errors[first].__cause__
