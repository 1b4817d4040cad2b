"""The results of a sweep: written as ``results.json``, and with the rows of a large one in files
beside it complete enough to redraw every figure."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from argo_ml.results.artifacts import cell_name
from argo_ml.results.row_columns import RowColumns
from argo_ml.types import Usage

EARLIER_NAMES: Mapping[str, str] = MappingProxyType({"fallbacks": "decomposer_fallbacks"})
"""What fields of a question's row, and metrics of a cell, were called in earlier versions."""


Identifier = Annotated[str, Field(pattern=r"^(?:[^/\\.][^/\\]{0,99})?$")]
"""The id of a run or a cell, which names files and folders as well."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecisionResult(Record):
    """One decision of a policy that probed or expected something, the last being to stop.

    ``confidence`` is p-hat of the answer it would have stopped with, ``correct`` whether that was
    right (None where it was not probed), ``expected_gain`` the utility that it expected its action
    to add to stopping, ``score`` what a gate compared with its threshold.
    """

    action: str
    confidence: float | None = None
    expected_gain: float | None = None
    score: float | None = None
    correct: bool | None = None


class QuestionResult(Record):
    """One question under one cell; what metrics and paired comparisons are computed from."""

    question_id: str
    answer: str
    choice: int | None = None
    correct: bool
    exact_match: float
    token_f1: float
    contains: float
    parsed: bool
    actions: tuple[str, ...]
    """Actions in order, without the final stop."""
    retrieval_successes: int
    decomposer_fallbacks: int
    """Steps that asked the question itself, since the decomposer's sub-question was unusable."""
    cost: float
    stop_reason: str
    decomposer_calls: int
    reader_calls: int
    reasoner_calls: int
    synthesizer_calls: int
    lm_calls_paid: int
    prompt_tokens: int
    completion_tokens: int
    lm_seconds: float
    probe_calls: int = 0
    sample_calls: int = 0
    confidence: float | None = None
    """Confidence in the answer given: p-hat where the policy has it, else the largest probability
    among the choices; None where neither is known."""
    decisions: tuple[DecisionResult, ...] = ()
    difficulty: str | None = None
    repeated_retrievals: int = 0
    """Retrievals that brought the same passages by the same query as one before; 0 in results of
    versions that did not count them."""
    unanswered: str = ""
    """Why the question could not be asked to its end; it counts as wrong then."""

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_names(cls, values: object) -> object:
        if not isinstance(values, dict) or EARLIER_NAMES.keys().isdisjoint(values):
            return values
        return {EARLIER_NAMES.get(name, name): value for name, value in values.items()}

    @property
    def usage(self) -> Usage:
        """What the question needed of the language model, whoever paid for it.

        It is stored flat, under the names of `usage_fields`.
        """
        return Usage(
            self.decomposer_calls,
            self.reader_calls,
            self.reasoner_calls,
            self.synthesizer_calls,
            self.prompt_tokens,
            self.completion_tokens,
            self.lm_seconds,
            self.probe_calls,
            self.sample_calls,
        )


class ValuedRow(NamedTuple):
    """Of a question's result what it is worth follows from, whatever the prices."""

    correct: bool
    actions: tuple[str, ...]
    probe_calls: int
    sample_calls: int

    @classmethod
    def of(cls, row: QuestionResult) -> ValuedRow:
        return cls(row.correct, row.actions, row.probe_calls, row.sample_calls)


CALL_FIELDS = (
    "decomposer_calls",
    "reader_calls",
    "reasoner_calls",
    "synthesizer_calls",
    "probe_calls",
    "sample_calls",
)
"""The fields whose sum is `Usage.calls`."""


def usage_fields(usage: Usage) -> dict[str, Any]:
    """The usage of a question as a `QuestionResult` stores it."""
    return {
        "decomposer_calls": usage.decomposer_calls,
        "reader_calls": usage.reader_calls,
        "reasoner_calls": usage.reasoner_calls,
        "synthesizer_calls": usage.synthesizer_calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "lm_seconds": usage.seconds,
        "probe_calls": usage.probe_calls,
        "sample_calls": usage.sample_calls,
    }


class RowsOnDisk(Sequence[QuestionResult]):
    """The rows of a cell of a large sweep, which are read when they are asked for."""

    @abstractmethod
    def values(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The fields of these names, row by row, without reading the others."""

    @abstractmethod
    def columns(self, *names: str) -> Iterator[RowColumns]:
        """The columns of some rows at a time: those of these names, or without any all of them."""

    @abstractmethod
    def same(self, other: RowsOnDisk, *names: str) -> bool:
        """Whether both have the same rows as far as the fields of these names go."""


def _kept_on_disk(value: object, validate: Callable[[object], object]) -> object:
    return value if isinstance(value, RowsOnDisk) else validate(value)


def _rows_schema(source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
    rows = handler(tuple[QuestionResult, ...])
    return core_schema.no_info_wrap_validator_function(_kept_on_disk, rows)


QuestionRows = Annotated[Sequence[QuestionResult], GetPydanticSchema(_rows_schema)]
"""Rows in memory, a tuple, or on disk."""


class PolicyTable(Record):
    """The solved MDP of one price, one entry per state, and the cell's own policy in it."""

    states: tuple[float, ...]
    value: tuple[float, ...]
    q_retrieve: tuple[float, ...]
    q_reason: tuple[float, ...]
    q_stop: tuple[float, ...]
    actions: tuple[str, ...]
    theta_cont: float | None
    theta_star: float | None
    """The thresholds that the cell's strategy acts by; None where it has no such pair."""
    policy_value: float | None
    """Exact value from U = 0 of acting by the cell's policy; None where progress alone does not
    decide what it does."""
    policy_regret: float | None
    """What that falls short of the best value."""


class CellResult(Record):
    cell_id: Identifier
    run_id: Identifier
    strategy: str
    retrieval_cost: float
    metrics: Mapping[str, float]
    """As logged on the cell's run."""
    policy: PolicyTable
    questions: QuestionRows = ()
    """``results.json`` of a large sweep leaves them out: they are in files beside it."""

    @field_validator("metrics", mode="before")
    @classmethod
    def _leave_out_undefined(cls, values: object) -> object:
        """Earlier versions stored null for a metric of a plugin that was no finite number."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value is not None}

    @property
    def name(self) -> str:
        """Strategy and price, as messages show a cell."""
        return cell_name(self.strategy, self.retrieval_cost)


class SequentialVerdict(Record):
    """What the questions told of one strategy against the best of its ``baselines`` at a price.

    ``sign`` is that of the difference of utility: above, below, small (nearer to 0 than the margin)
    or open, first known after ``n_needed`` questions. ``low`` and ``high`` hold at all prices and
    all looks together.
    """

    strategy: str
    baselines: tuple[str, ...]
    retrieval_cost: float
    sign: str
    n_needed: int | None
    mean: float
    low: float
    high: float


class Stopping(Record):
    """Where a sweep with ``until=decided`` stopped: after ``n_asked`` of ``n_available`` questions.

    ``level`` is the chance at most that any sign is wrong, ``margin`` what counts as small.
    """

    n_asked: int
    n_available: int
    is_decided: bool
    level: float
    margin: float
    verdicts: tuple[SequentialVerdict, ...]


class Results(Record):
    """``cells`` in grid order: by strategy as given, then by price ascending."""

    schema_version: int = 1
    sweep_id: Identifier
    """MLflow run id of the sweep."""
    spec: Mapping[str, Any]
    digests: Mapping[str, str]
    """Digests of questions, corpus and model."""
    floors: Mapping[str, float]
    """Accuracy without any model: majority_position, longest_choice, random; empty, or all 0 in
    sweeps of earlier versions, where no question has choices."""
    strategies: tuple[str, ...]
    prices: tuple[float, ...]
    cells: tuple[CellResult, ...]
    row_digests: Mapping[str, str] = {}
    """Of a large sweep, by cell: the digest of the file that holds its rows."""
    stopping: Stopping | None = None
    """None of a sweep that asks all questions, whatever they tell."""

    def row(self, strategy: str) -> tuple[CellResult, ...]:
        """Cells of one strategy, by price ascending."""
        own = [cell for cell in self.cells if cell.strategy == strategy]
        return tuple(sorted(own, key=lambda cell: cell.retrieval_cost))
