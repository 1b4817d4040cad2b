"""Questions of an evaluation dataset of MLflow: ``dataset=mlflow:NAME``.

A record's ``inputs`` have ``question`` and, where there are any, ``choices`` and ``id``; its
``expectations`` have ``expected_response``, a text or several, or ``golden_answers`` as files of
questions have them (for choices their 0-based indices).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

from argo_ml.config import QuestionSpec
from argo_ml.datasets.base import Dataset, LoadedQuestions, RejectedLine
from argo_ml.datasets.jsonl import parse_question
from argo_ml.datasets.lines import LineError
from argo_ml.errors import DataError
from argo_ml.tracking.runs import open_client
from argo_ml.tracking.stores import first_line
from argo_ml.types import Question

PREFIX = "mlflow:"


@dataclass(frozen=True, slots=True)
class EvaluationDataset:
    """The dataset of this name in a tracking store."""

    name: str
    tracking_uri: str

    def load(self) -> LoadedQuestions:
        """Raises `DataError` where there is no such dataset, or no question in it."""
        open_client(self.tracking_uri, create=False)
        try:
            records = mlflow.genai.datasets.get_dataset(name=self.name).to_df()
        except (MlflowException, ValueError) as error:
            raise DataError(
                f"dataset={PREFIX}{self.name}: cannot be read ({first_line(error)})"
            ) from None
        rejected: list[RejectedLine] = []
        rows = records[["inputs", "expectations"]].to_dict("records") if len(records) else []
        found = list(self._questions(rows, rejected))
        unique = {_content(own): own for own in reversed(found)}
        kept = tuple(own for own in found if unique[_content(own)] is own)
        if not kept:
            first = f"; {rejected[0]}" if rejected else ""
            raise DataError(
                f"dataset={PREFIX}{self.name}: none of its {len(rows)} records is a question with "
                f"an expected_response{first}"
            )
        return LoadedQuestions(kept, PREFIX + self.name, tuple(rejected), len(found) - len(kept))

    def _questions(
        self, rows: Sequence[Mapping[str, Any]], rejected: list[RejectedLine]
    ) -> Iterator[Question]:
        for number, row in enumerate(rows, 1):
            try:
                yield parse_question(_line(row), number)
            except LineError as error:
                rejected.append(RejectedLine(PREFIX + self.name, number, str(error)))


def _content(question: Question) -> tuple[object, ...]:
    return question.text, question.choices, question.gold, question.answers


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record as a line of a file of questions."""
    inputs, expected = row["inputs"] or {}, row["expectations"] or {}
    line = {name: inputs[name] for name in ("id", "question", "choices") if name in inputs}
    return {**line, "golden_answers": expected_answers(expected)}


def expected_answers(expectations: Mapping[str, Any]) -> Any:
    """The gold answers of a record, as a line of a file of questions has them."""
    response = expectations.get("expected_response")
    return expectations.get("golden_answers", [response] if isinstance(response, str) else response)


def evaluation_dataset(name: str) -> Dataset:
    """The dataset called ``mlflow:NAME``; it brings no documents."""

    def opened(spec: QuestionSpec) -> EvaluationDataset:
        return EvaluationDataset(name.removeprefix(PREFIX), getattr(spec, "tracking_uri", ""))

    return Dataset(open=opened, brings_questions=True)
