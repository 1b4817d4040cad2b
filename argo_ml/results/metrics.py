"""The metrics of a cell and of a sweep, computed from per-question results alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from argo_ml.results.records import CellResult, PolicyTable, QuestionResult, Results
from argo_ml.statistics.intervals import wilson
from argo_ml.types import Action, StopReason


def lm_calls(row: QuestionResult) -> int:
    """Language-model calls that the question needed, whether or not a cache served them."""
    components = (
        row.decomposer_calls + row.reader_calls + row.reasoner_calls + row.synthesizer_calls
    )
    return components + row.probe_calls + row.sample_calls


def retrieval_calls(row: QuestionResult) -> int:
    return row.actions.count(Action.RETRIEVE.value)


def reason_calls(row: QuestionResult) -> int:
    return row.actions.count(Action.REASON.value)


_MEANS: Mapping[str, Callable[[QuestionResult], float]] = {
    "accuracy": lambda row: row.correct,
    "exact_match": lambda row: row.exact_match,
    "token_f1": lambda row: row.token_f1,
    "contains": lambda row: row.contains,
    "retrieval_calls": retrieval_calls,
    "reason_calls": reason_calls,
    "steps": lambda row: len(row.actions),
    "cost": lambda row: row.cost,
    "lm_calls": lm_calls,
    "decomposer_calls": lambda row: row.decomposer_calls,
    "reader_calls": lambda row: row.reader_calls,
    "reasoner_calls": lambda row: row.reasoner_calls,
    "synthesizer_calls": lambda row: row.synthesizer_calls,
    "probe_calls": lambda row: row.probe_calls,
    "sample_calls": lambda row: row.sample_calls,
    "lm_calls_paid": lambda row: row.lm_calls_paid,
    "prompt_tokens": lambda row: row.prompt_tokens,
    "completion_tokens": lambda row: row.completion_tokens,
    "lm_seconds": lambda row: row.lm_seconds,
    "unparsed": lambda row: not row.parsed,
    "fallbacks": lambda row: row.fallbacks,
    "stop_threshold": lambda row: row.stop_reason == StopReason.THRESHOLD.value,
    "stop_policy": lambda row: row.stop_reason == StopReason.POLICY.value,
    "stop_limit": lambda row: row.stop_reason == StopReason.LIMIT.value,
    "stop_abstain": lambda row: row.stop_reason == StopReason.ABSTAIN.value,
}
"""Metric -> its value for one question; the cell's value is the mean over questions."""


def cell_metrics(
    questions: Sequence[QuestionResult], mu: float, policy: PolicyTable
) -> dict[str, float]:
    """The metrics of one cell; ``mu`` weighs cost in utility.

    Counts, tokens and seconds are means per question, ``unparsed`` and ``stop_*`` are shares of
    questions, and ``lm_calls_total`` and ``lm_calls_paid_total`` are sums over questions.

    ``retrieval_success_rate`` is over the retrievals made and absent where none was made, and
    ``accuracy_per_cost`` is absent where nothing was spent: 0 would claim a failure and MLflow
    takes no NaN for a number. ``policy_value`` and ``policy_regret`` are those of the cell's own
    policy in the MDP, absent where it decides by more than progress.
    """
    if not questions:
        raise ValueError("a cell without questions has no metrics")
    metrics = {name: _mean(map(value, questions)) for name, value in _MEANS.items()}
    interval = wilson(sum(row.correct for row in questions), len(questions))
    metrics["accuracy_ci_low"] = interval.low
    metrics["accuracy_ci_high"] = interval.high
    metrics["utility"] = metrics["accuracy"] - mu * metrics["cost"]
    if policy.policy_value is not None and policy.policy_regret is not None:
        metrics["policy_value"] = policy.policy_value
        metrics["policy_regret"] = policy.policy_regret
    metrics["lm_calls_total"] = float(sum(map(lm_calls, questions)))
    metrics["lm_calls_paid_total"] = float(sum(row.lm_calls_paid for row in questions))
    n_retrievals = sum(map(retrieval_calls, questions))
    if n_retrievals:
        n_successes = sum(row.retrieval_successes for row in questions)
        metrics["retrieval_success_rate"] = n_successes / n_retrievals
    if metrics["cost"]:
        metrics["accuracy_per_cost"] = metrics["accuracy"] / metrics["cost"]
    return metrics


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
    n_needed = sum(map(lm_calls, rows))
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


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed)
