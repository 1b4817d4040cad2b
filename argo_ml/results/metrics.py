"""The metrics of a cell and of a sweep, computed from per-question results alone."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from argo_ml.plugins import PartTable
from argo_ml.results.question_rows import column_blocks, question_ids, row_numbers
from argo_ml.results.records import (
    CALL_FIELDS,
    CellResult,
    PolicyTable,
    QuestionResult,
    Results,
    ValuedRow,
)
from argo_ml.results.row_columns import Array, RowColumns
from argo_ml.statistics.exact_sum import ExactSum
from argo_ml.statistics.intervals import wilson
from argo_ml.types import Action, StopReason

logger = logging.getLogger(__name__)


def retrieval_calls(row: QuestionResult | ValuedRow) -> int:
    return row.actions.count(Action.RETRIEVE.value)


def reason_calls(row: QuestionResult | ValuedRow) -> int:
    return row.actions.count(Action.REASON.value)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of every question, whose mean over the questions is a metric of the cell.

    ``values`` computes it for many questions from their columns. ``is_replayed`` says whether
    recorded outcomes, which know nothing of calls, tell it.
    """

    name: str
    values: Callable[[RowColumns], Array]
    meaning: str
    is_replayed: bool = True


def _field(name: str, meaning: str, field: str = "") -> Measure:
    return Measure(name, lambda rows: rows.field(field or name), meaning)


def _usage(name: str, meaning: str) -> Measure:
    return replace(_field(name, meaning), is_replayed=False)


def _stops(reason: StopReason, meaning: str) -> Measure:
    return Measure(
        f"stop_{reason.value}", lambda rows: rows.field("stop_reason") == reason.value, meaning
    )


MEASURES: Sequence[Measure] = (
    _field("accuracy", "answered correctly, by gold alone", field="correct"),
    _field("exact_match", "equals a gold answer's text"),
    _field("token_f1", "words shared with a gold answer's text"),
    _field("contains", "contains a gold answer's text"),
    Measure("retrieval_calls", lambda rows: rows.taken(Action.RETRIEVE), "retrievals"),
    Measure("reason_calls", lambda rows: rows.taken(Action.REASON), "reasoning steps"),
    Measure("steps", lambda rows: rows.steps(), "actions taken"),
    _field("cost", "price of actions and probes"),
    Measure(
        "lm_calls",
        lambda rows: rows.total(*CALL_FIELDS),
        "calls needed, whoever made them",
        is_replayed=False,
    ),
    _usage("decomposer_calls", "calls for sub-questions"),
    _usage("reader_calls", "calls that read passages"),
    _usage("reasoner_calls", "calls that reasoned"),
    _usage("synthesizer_calls", "calls that answered"),
    _usage("probe_calls", "calls that served a decision"),
    _usage("sample_calls", "drafts sampled for a decision"),
    _usage("lm_calls_paid", "calls that were executed for it"),
    _usage("prompt_tokens", "tokens of the prompts"),
    _usage("completion_tokens", "tokens generated"),
    _usage("lm_seconds", "model time of the calls"),
    Measure(
        "unparsed", lambda rows: ~rows.field("parsed"), "could not be read and counts as wrong"
    ),
    Measure(
        "unanswered",
        lambda rows: rows.field("unanswered") != "",
        "could not be asked to the end",
    ),
    _usage(
        "decomposer_fallbacks",
        "steps whose sub-question was unusable, so that the question itself was asked",
    ),
    _usage(
        "repeated_retrievals",
        "retrievals by the query of an earlier one that brought the same passages",
    ),
    _stops(StopReason.THRESHOLD, "ended where progress reached theta_star"),
    _stops(StopReason.POLICY, "ended by the policy"),
    _stops(StopReason.LIMIT, "ended at the step limit"),
    _stops(StopReason.ABSTAIN, "withheld its answer, which counts as wrong"),
)
"""What a cell's run records of its questions, in this order; docs/metrics.md says more of each."""

CURVES = (
    "accuracy",
    "accuracy_ci_low",
    "accuracy_ci_high",
    "utility",
    "retrieval_calls",
    "reason_calls",
    "cost",
    "lm_calls",
    "lm_calls_paid",
)
"""The metrics whose course over the questions is worth a curve; the others are known at the end."""

_COMPARED = (*CURVES, "token_f1", "unparsed", "unanswered")


def is_compared(name: str) -> bool:
    """Whether a cell's run shows the metric; its other ones are in a file of the run.

    Those that other packages bring are shown.
    """
    return name in _COMPARED or ALL_METRICS.is_plugin(name)


_DERIVED = (
    "accuracy_ci_low",
    "accuracy_ci_high",
    "utility",
    "policy_value",
    "policy_regret",
    "lm_calls_total",
    "lm_calls_paid_total",
    "retrieval_success_rate",
    "accuracy_per_cost",
)
"""Metrics of a cell that are no means over questions."""

_SUCCESSES = "retrieval_successes"
_SUMMED = (*(measure.name for measure in MEASURES), _SUCCESSES)

ALL_METRICS: PartTable[Callable[[QuestionResult], float] | None] = PartTable(
    "argo_ml.metrics",
    "metric",
    dict.fromkeys((*(measure.name for measure in MEASURES), *_DERIVED)),
    callable,
)
"""The metrics of a cell by name; of those of other installed packages the value for a question."""


class CellTotals:
    """The sums behind a cell's metrics: rows are added as they come, and need not be kept."""

    def __init__(self, mu: float, policy: PolicyTable) -> None:
        self._mu = mu
        self._policy = policy
        self._brought = {
            name: value for name, value in ALL_METRICS.usable().items() if value is not None
        }
        self._sums = {name: ExactSum() for name in (*_SUMMED, *self._brought)}
        self.n_questions = 0

    def add(self, rows: RowColumns) -> None:
        for measure in MEASURES:
            self._sums[measure.name].add(measure.values(rows))
        self._sums[_SUCCESSES].add(rows.field(_SUCCESSES))
        for name, value in list(self._brought.items()):
            values = np.array([value(row) for row in rows.rows()], dtype=float)
            if np.isfinite(values).all():
                self._sums[name].add(values)
            else:
                _warn_of_no_number(name)
                del self._brought[name]
        self.n_questions += rows.n

    def curves(self) -> dict[str, float]:
        """Those of the metrics that have a course over the questions."""
        metrics = self.metrics()
        return {name: metrics[name] for name in CURVES}

    def metrics(self) -> dict[str, float]:
        """The metrics of the rows until now, as `cell_metrics` says. Raises ValueError without."""
        if not self.n_questions:
            raise ValueError("a cell without questions has no metrics")
        metrics = {measure.name: self._mean(measure.name) for measure in MEASURES}
        interval = wilson(round(self._sums["accuracy"].value), self.n_questions)
        metrics["accuracy_ci_low"] = interval.low
        metrics["accuracy_ci_high"] = interval.high
        metrics["utility"] = metrics["accuracy"] - self._mu * metrics["cost"]
        if self._policy.policy_value is not None and self._policy.policy_regret is not None:
            metrics["policy_value"] = self._policy.policy_value
            metrics["policy_regret"] = self._policy.policy_regret
        metrics["lm_calls_total"] = self._sums["lm_calls"].value
        metrics["lm_calls_paid_total"] = self._sums["lm_calls_paid"].value
        n_retrievals = self._sums["retrieval_calls"].value
        if n_retrievals:
            metrics["retrieval_success_rate"] = self._sums[_SUCCESSES].value / n_retrievals
        if metrics["cost"] > 0.0:
            metrics["accuracy_per_cost"] = metrics["accuracy"] / metrics["cost"]
        return metrics | {name: self._mean(name) for name in self._brought}

    def _mean(self, name: str) -> float:
        return self._sums[name].value / self.n_questions


@cache
def _warn_of_no_number(name: str) -> None:
    logger.warning(
        "metric %r is no finite number for some question: cells in which that is so lack it", name
    )


def cell_metrics(
    questions: Sequence[QuestionResult], mu: float, policy: PolicyTable
) -> dict[str, float]:
    """The metrics of one cell; ``mu`` weighs cost in utility.

    Counts, tokens and seconds are means per question, ``unparsed`` and ``stop_*`` are shares of
    questions, and ``lm_calls_total`` and ``lm_calls_paid_total`` are sums over questions.

    ``retrieval_success_rate`` is over the retrievals made and absent where none was made, and
    ``accuracy_per_cost`` is absent where nothing was spent: 0 would claim a failure and MLflow
    takes no NaN for a number. ``policy_value`` and ``policy_regret`` are those of the cell's own
    policy in the MDP, absent where it decides by more than progress. Other installed packages may
    bring more means; one that is no finite number for a question is absent.
    """
    totals = CellTotals(mu, policy)
    for block in column_blocks(questions):
        totals.add(block)
    return totals.metrics()


def utilities(cell: CellResult, mu: float) -> Array:
    """Utility of each question: correct - mu * cost; its mean is the cell's utility."""
    correct, cost = (row_numbers(cell.questions, name) for name in ("correct", "cost"))
    return np.asarray(correct - mu * cost)


def withholds(results: Results) -> bool:
    """Whether any answer was withheld."""
    return any(cell.metrics.get("stop_abstain") for cell in results.cells)


def calls_needed(rows: Sequence[QuestionResult]) -> int:
    """The model calls that the rows needed, whoever paid for them."""
    return sum(int(own.total(*CALL_FIELDS).sum()) for own in column_blocks(rows, *CALL_FIELDS))


def calls_paid(rows: Sequence[QuestionResult]) -> int:
    blocks = column_blocks(rows, "lm_calls_paid")
    return sum(int(own.field("lm_calls_paid").sum()) for own in blocks)


def sweep_metrics(results: Results) -> dict[str, float]:
    """The metrics of a sweep's own run.

    ``floor_*`` is the accuracy that needs no model. ``cache_hit_rate`` is the share of the calls
    that the cells need which no cell paid for, because another cell, shard or earlier run had
    made the same call. ``mean_accuracy_*`` and ``mean_utility_*`` are a strategy's means over
    prices, ``best_utility_*`` its best over prices.
    """
    n_needed = sum(calls_needed(cell.questions) for cell in results.cells)
    n_paid = sum(calls_paid(cell.questions) for cell in results.cells)
    ids = {own for cell in results.cells for own in question_ids(cell.questions)}
    metrics = {f"floor_{name}": value for name, value in results.floors.items()}
    metrics["n_cells"] = float(len(results.cells))
    metrics["n_questions"] = float(len(ids))
    metrics["lm_calls_total"] = float(n_needed)
    metrics["lm_calls_paid_total"] = float(n_paid)
    if n_needed:
        metrics["cache_hit_rate"] = 1.0 - n_paid / n_needed
    for strategy in results.strategies:
        cells = results.row(strategy)
        metrics[f"mean_accuracy_{strategy}"] = _mean(cell.metrics["accuracy"] for cell in cells)
        metrics[f"mean_utility_{strategy}"] = _mean(cell.metrics["utility"] for cell in cells)
        metrics[f"best_utility_{strategy}"] = max(cell.metrics["utility"] for cell in cells)
    return metrics


def by_price(results: Results) -> dict[int, dict[str, float]]:
    """Each strategy's accuracy, utility and retrievals over the prices, as steps of curves.

    MLflow takes whole numbers for steps: a price of 0.02 is step 20, its thousandths; where prices
    have more digits, their millionths or billionths.
    """
    steps = price_steps(results.prices)
    points: dict[int, dict[str, float]] = {step: {} for step in steps.values()}
    for cell in results.cells:
        at = points[steps[cell.retrieval_cost]]
        for group, metric in BY_PRICE.items():
            at[f"{group}/{cell.strategy}"] = cell.metrics[metric]
    return points


BY_PRICE = {
    "accuracy_by_price": "accuracy",
    "utility_by_price": "utility",
    "retrievals_by_price": "retrieval_calls",
}


def price_steps(prices: Sequence[float]) -> dict[float, int]:
    """A whole number for each price, as fine as their digits need; at the finest two that are
    closer than a billionth share one."""
    for scale in (10**3, 10**6, 10**9):
        if all(math.isclose(price * scale, round(price * scale), abs_tol=1e-6) for price in prices):
            break
    return {price: round(price * scale) for price in prices}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed)
