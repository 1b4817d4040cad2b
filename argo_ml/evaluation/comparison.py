"""ARGO against the best baseline, price by price and question by question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from argo_ml.policies import STRATEGIES
from argo_ml.results.metrics import utilities
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.intervals import PairedDifference, paired_difference
from argo_ml.types import Action

SUBJECT = "argo"
KIN = (SUBJECT, "argo_optimal")
"""What is no baseline although it looks at nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Utility of ARGO minus that of ``baseline``, the one with the best mean utility there.

    The baseline is chosen on the same questions it is compared on, which favors it. ``identical``
    says that both took the same actions and gave the same answer on every question, so that there
    is nothing to compare.
    """

    retrieval_cost: float
    baseline: str
    difference: PairedDifference
    identical: bool


def compare_with_best_baseline(results: Results) -> tuple[Comparison, ...]:
    """One comparison per price at which ARGO and at least one baseline ran."""
    mu = float(results.spec["mu"])
    return tuple(
        _compare(subject, baselines, mu)
        for subject in results.row(SUBJECT)
        if (baselines := _baselines(results, subject.retrieval_cost))
    )


def is_baseline(strategy: str) -> bool:
    """Neither ARGO nor a policy that looks at the question, nor the ceiling."""
    kind = STRATEGIES[strategy]
    return strategy not in KIN and not kind.calibrated and not kind.is_ceiling


def _baselines(results: Results, price: float) -> list[CellResult]:
    return [
        cell
        for cell in results.cells
        if cell.retrieval_cost == price and is_baseline(cell.strategy)
    ]


def _compare(subject: CellResult, baselines: Sequence[CellResult], mu: float) -> Comparison:
    best = max(baselines, key=lambda cell: fmean(utilities(cell, mu)))
    return Comparison(
        retrieval_cost=subject.retrieval_cost,
        baseline=best.strategy,
        difference=paired_difference(utilities(subject, mu), utilities(best, mu)),
        identical=is_identical(subject, best),
    )


def is_identical(first: CellResult, second: CellResult) -> bool:
    """Whether both took the same actions and gave the same answer on every question."""
    return _behavior(first) == _behavior(second)


def _behavior(cell: CellResult) -> list[tuple[str, tuple[str, ...], str]]:
    return [(row.question_id, row.actions, row.answer) for row in cell.questions]


def n_actions(cell: CellResult, action: Action) -> list[int]:
    """How often each question took ``action``."""
    return [row.actions.count(action.value) for row in cell.questions]
