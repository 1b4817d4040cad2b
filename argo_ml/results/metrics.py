"""The metrics of a cell and of a sweep, computed from per-question results alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from argo_ml.plugins import PartTable
from argo_ml.results.records import CellResult, PolicyTable, QuestionResult, Results
from argo_ml.statistics.intervals import wilson
from argo_ml.types import Action, StopReason, Usage


def retrieval_calls(row: QuestionResult) -> int:
    return row.actions.count(Action.RETRIEVE.value)


def reason_calls(row: QuestionResult) -> int:
    return row.actions.count(Action.REASON.value)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of every question, whose mean over the questions is a metric of the cell.

    ``value`` is computed from a question's row and its usage. ``is_replayed`` says whether
    recorded outcomes, which know nothing of calls, tell it.
    """

    name: str
    value: Callable[[QuestionResult, Usage], float]
    meaning: str
    is_replayed: bool = True


def _calls(name: str, value: Callable[[QuestionResult, Usage], float], meaning: str) -> Measure:
    return Measure(name, value, meaning, is_replayed=False)


def _stops(reason: StopReason, meaning: str) -> Measure:
    return Measure(
        f"stop_{reason.value}", lambda row, usage: row.stop_reason == reason.value, meaning
    )


MEASURES: Sequence[Measure] = (
    Measure("accuracy", lambda row, usage: row.correct, "answered correctly, by gold alone"),
    Measure("exact_match", lambda row, usage: row.exact_match, "equals a gold answer's text"),
    Measure("token_f1", lambda row, usage: row.token_f1, "words shared with a gold answer's text"),
    Measure("contains", lambda row, usage: row.contains, "contains a gold answer's text"),
    Measure("retrieval_calls", lambda row, usage: retrieval_calls(row), "retrievals"),
    Measure("reason_calls", lambda row, usage: reason_calls(row), "reasoning steps"),
    Measure("steps", lambda row, usage: len(row.actions), "actions taken"),
    Measure("cost", lambda row, usage: row.cost, "price of actions and probes"),
    _calls("lm_calls", lambda row, usage: usage.calls, "calls needed, whoever made them"),
    _calls(
        "decomposer_calls", lambda row, usage: usage.decomposer_calls, "calls for sub-questions"
    ),
    _calls("reader_calls", lambda row, usage: usage.reader_calls, "calls that read passages"),
    _calls("reasoner_calls", lambda row, usage: usage.reasoner_calls, "calls that reasoned"),
    _calls("synthesizer_calls", lambda row, usage: usage.synthesizer_calls, "calls that answered"),
    _calls("probe_calls", lambda row, usage: usage.probe_calls, "calls that served a decision"),
    _calls("sample_calls", lambda row, usage: usage.sample_calls, "drafts sampled for a decision"),
    _calls(
        "lm_calls_paid", lambda row, usage: row.lm_calls_paid, "calls that were executed for it"
    ),
    _calls("prompt_tokens", lambda row, usage: usage.prompt_tokens, "tokens of the prompts"),
    _calls("completion_tokens", lambda row, usage: usage.completion_tokens, "tokens generated"),
    _calls("lm_seconds", lambda row, usage: usage.seconds, "model time of the calls"),
    Measure("unparsed", lambda row, usage: not row.parsed, "could not be read and counts as wrong"),
    Measure("unanswered", lambda row, usage: bool(row.unanswered), "could not be asked to the end"),
    _calls(
        "decomposer_fallbacks",
        lambda row, usage: row.decomposer_fallbacks,
        "steps whose sub-question was unusable, so that the question itself was asked",
    ),
    _calls(
        "repeated_retrievals",
        lambda row, usage: row.repeated_retrievals,
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

ALL_METRICS: PartTable[Callable[[QuestionResult], float] | None] = PartTable(
    "argo_ml.metrics",
    "metric",
    dict.fromkeys((*(measure.name for measure in MEASURES), *_DERIVED)),
    callable,
)
"""The metrics of a cell by name; of those of other installed packages the value for a question."""


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
    bring more means.
    """
    if not questions:
        raise ValueError("a cell without questions has no metrics")
    usages = [row.usage for row in questions]
    metrics = {measure.name: _mean(map(measure.value, questions, usages)) for measure in MEASURES}
    interval = wilson(sum(row.correct for row in questions), len(questions))
    metrics["accuracy_ci_low"] = interval.low
    metrics["accuracy_ci_high"] = interval.high
    metrics["utility"] = metrics["accuracy"] - mu * metrics["cost"]
    if policy.policy_value is not None and policy.policy_regret is not None:
        metrics["policy_value"] = policy.policy_value
        metrics["policy_regret"] = policy.policy_regret
    metrics["lm_calls_total"] = float(sum(usage.calls for usage in usages))
    metrics["lm_calls_paid_total"] = float(sum(row.lm_calls_paid for row in questions))
    n_retrievals = sum(map(retrieval_calls, questions))
    if n_retrievals:
        n_successes = sum(row.retrieval_successes for row in questions)
        metrics["retrieval_success_rate"] = n_successes / n_retrievals
    if metrics["cost"]:
        metrics["accuracy_per_cost"] = metrics["accuracy"] / metrics["cost"]
    brought = {name: value for name, value in ALL_METRICS.usable().items() if value is not None}
    return metrics | {name: _mean(map(value, questions)) for name, value in brought.items()}


def utilities(cell: CellResult, mu: float) -> list[float]:
    """Utility of each question: correct - mu * cost; its mean is the cell's utility."""
    return [row.correct - mu * row.cost for row in cell.questions]


def sweep_metrics(results: Results) -> dict[str, float]:
    """The metrics of a sweep's own run.

    ``floor_*`` is the accuracy that needs no model. ``cache_hit_rate`` is the share of the calls
    that the cells need which no cell paid for, because another cell, shard or earlier run had
    made the same call. ``mean_accuracy_*`` and ``mean_utility_*`` are a strategy's means over
    prices, ``best_utility_*`` its best over prices.
    """
    rows = [row for cell in results.cells for row in cell.questions]
    n_needed = sum(row.usage.calls for row in rows)
    n_paid = sum(row.lm_calls_paid for row in rows)
    metrics = {f"floor_{name}": value for name, value in results.floors.items()}
    metrics["n_cells"] = float(len(results.cells))
    metrics["n_questions"] = float(len({row.question_id for row in rows}))
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
        for group, metric in _BY_PRICE.items():
            at[f"{group}/{cell.strategy}"] = cell.metrics[metric]
    return points


_BY_PRICE = {
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
