"""The question that a sweep answers, and whether deciding by the question pays."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from argo_ml.evaluation.judged_cells import (
    JudgedCell,
    best_fixed,
    by_strategy,
    mean_utilities,
)
from argo_ml.evaluation.record import Headline
from argo_ml.evaluation.roles import contenders_of, is_calibrated
from argo_ml.policies.description import Role
from argo_ml.results.naming import described_questions, model_name
from argo_ml.results.records import Results
from argo_ml.statistics.resampling import average


def question(results: Results) -> str:
    """The question that the answer answers, with what the sweep was of."""
    return (
        f"When does it pay to retrieve, on {described_questions(results)} with "
        f"{model_name(results.spec)}?"
    )


def has_measured_progress(results: Results) -> bool:
    """Whether progress is p-hat of the question at hand rather than a count of steps."""
    return bool(results.spec.get("progress") == "measured")


def headline(cells: Sequence[JudgedCell], is_measured: bool = False) -> Headline | None:
    """None where no strategy that looks at the question or no fixed one ran.

    ``is_measured``: whether progress is measured on the question.
    """
    candidates = candidates_among(by_strategy(cells), is_measured)
    fixed = best_fixed(cells)
    if not candidates or not fixed:
        return None
    utilities = mean_utilities(cells)
    best = max(candidates, key=utilities.__getitem__)
    pairs = [(cell, fixed[cell.price]) for cell in by_strategy(cells)[best] if cell.price in fixed]
    differences = [cell.utility - baseline.utility for cell, baseline in pairs]
    signs = [difference.sign for difference in differences]
    gain = average(differences)
    return Headline(
        strategy=best,
        candidates=candidates,
        gain=gain.estimate,
        n_prices=len(pairs),
        n_above=signs.count(1),
        n_below=signs.count(-1),
        is_identical=all(cell.acts_like(baseline) for cell, baseline in pairs),
        sign=gain.sign,
    )


def candidates_among(ran: Collection[str], is_measured: bool) -> tuple[str, ...]:
    """Adaptive strategies; without any, ARGO where it looks at the question, else the gates."""
    for role in (Role.ADAPTIVE, Role.ORIGINAL) if is_measured else (Role.ADAPTIVE,):
        contenders = tuple(name for name in contenders_of(role) if name in ran)
        if contenders:
            return contenders
    return tuple(filter(is_calibrated, ran))
