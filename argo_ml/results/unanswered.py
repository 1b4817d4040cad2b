"""Questions that could not be asked: how many of them a run takes, and what it says of them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from argo_ml.errors import DataError
from argo_ml.results.records import QuestionResult

SHOWN_IDS = 10


def first_ids(ids: Iterable[object]) -> str:
    """The first of them, and how many more there are."""
    shown = [str(own) for own in ids]
    more = f" and {len(shown) - SHOWN_IDS} more" if len(shown) > SHOWN_IDS else ""
    return f"{', '.join(shown[:SHOWN_IDS])}{more}"


class UnansweredQuestions:
    """Collects the questions that the model did not take, and ends a run that has too many.

    ``share`` of ``n_questions`` may be such, and at least one unless ``share`` is 0.
    """

    def __init__(self, share: float, n_questions: int) -> None:
        self._share = share
        self._n_questions = n_questions
        self._reasons: dict[str, str] = {}

    @property
    def n_allowed(self) -> int:
        # Rounded, since 0.29 x 100 is a little less than 29.
        return max(math.floor(round(self._share * self._n_questions, 9)), 1 if self._share else 0)

    def add(self, question_id: str, reason: str) -> None:
        """``reason`` is empty for a question that was answered."""
        if reason:
            self._reasons.setdefault(question_id, reason)

    def add_rows(self, rows: Iterable[QuestionResult]) -> None:
        for row in rows:
            self.add(row.question_id, row.unanswered)

    def check(self) -> None:
        """Raises `DataError` where there are too many; it names them and what would help."""
        if len(self._reasons) > self.n_allowed:
            raise DataError(
                f"max_unanswered={self._share:g}: of {self._n_questions} questions "
                f"{len(self._reasons)} cannot be asked, and {self.n_allowed} may: "
                f"{self._listed()}; shorten these questions or leave them out, lower top_k, "
                "chunk_size or evidence_tokens where passages are what is long, use a model with "
                "a longer context, or raise max_unanswered; what is computed is kept"
            )

    @property
    def concern(self) -> str:
        """What deserves a look where a run has some, empty without."""
        if not self._reasons:
            return ""
        return (
            f"of {self._n_questions} questions {len(self._reasons)} could not be asked and count "
            f"as wrong: {self._listed()}"
        )

    def _listed(self) -> str:
        return f"{first_ids(self._reasons)} ({next(iter(self._reasons.values()))})"
