"""The question that a sweep answers, and its answer in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from argo_ml.evaluation.comparison import is_identical
from argo_ml.evaluation.judged_cells import JudgedCell, areas, best_fixed, by_strategy, judge
from argo_ml.evaluation.record import Headline
from argo_ml.evaluation.roles import contenders_of, is_calibrated
from argo_ml.policies.description import Role
from argo_ml.results.records import Results
from argo_ml.statistics.intervals import Estimate
from argo_ml.statistics.resampling import average

PREFERRED = (Role.ADAPTIVE, Role.ORIGINAL)
"""Whom the answer is about: the contenders of the first of these roles of which any ran, else all
other strategies that are calibrated, which are the gates."""


def question(results: Results) -> str:
    rows, spec = results.cells[0].questions, results.spec
    difficulty = str(spec["difficulty"])
    kind = "all-difficulty" if difficulty == "all" else difficulty
    # Where the source knows no difficulties, the one asked for says nothing.
    known = any(row.difficulty for row in rows)
    asked = " ".join([str(len(rows)), *([kind] if known else []), str(spec["dataset"])])
    return (
        f"Does deciding by the question beat the best fixed strategy, on {asked} questions with "
        f"{Path(str(spec['model'])).name}?"
    )


def answer_of(results: Results) -> str:
    """The answer without the rest of the evaluation."""
    judged = judge(results)
    return answer(headline(judged), judged)


def headline(judged: Sequence[JudgedCell]) -> Headline | None:
    """None where no adaptive strategy or no fixed one ran."""
    candidates, fixed = _candidates(judged), best_fixed(judged)
    if not candidates or not fixed:
        return None
    area = areas(judged)
    best = max(candidates, key=area.__getitem__)
    pairs = [(one, fixed[one.price]) for one in by_strategy(judged)[best] if one.price in fixed]
    differences = [one.utility - other.utility for one, other in pairs]
    at_prices = [difference.estimate for difference in differences]
    return Headline(
        strategy=best,
        candidates=candidates,
        gain=average(differences).estimate,
        n_prices=len(pairs),
        n_above=sum(estimate.low > 0.0 for estimate in at_prices),
        n_below=sum(estimate.high < 0.0 for estimate in at_prices),
        is_identical=all(is_identical(one.cell, other.cell) for one, other in pairs),
    )


def _candidates(judged: Sequence[JudgedCell]) -> tuple[str, ...]:
    ran = by_strategy(judged)
    for role in PREFERRED:
        contenders = tuple(name for name in contenders_of(role) if name in ran)
        if contenders:
            return contenders
    return tuple(filter(is_calibrated, ran))


def answer(found: Headline | None, judged: Sequence[JudgedCell]) -> str:
    if found is None:
        missing = "decides by the question" if best_fixed(judged) else "treats all questions alike"
        return f"Not asked: no strategy that {missing} ran."
    prices = _counted(found.n_prices, "price")
    if found.is_identical:
        return (
            f"Nothing to compare: {found.strategy} acts and answers like the best fixed strategy "
            f"on every question, at {prices}."
        )
    return (
        f"{_verdict(found.gain)}: the utility of {found.strategy}{_choice(found)} minus that of "
        f"the best fixed strategy is {found.gain.mean:+.3f} on average over {prices}, 95 % "
        f"interval {found.gain.low:+.3f} to {found.gain.high:+.3f}; the interval at a single "
        f"price lies above 0 at {found.n_above} and below 0 at {found.n_below} of them."
    )


def _verdict(gain: Estimate) -> str:
    if gain.low > 0.0:
        return "Yes"
    return "No, it loses" if gain.high < 0.0 else "Not shown"


def _choice(found: Headline) -> str:
    n_candidates = len(found.candidates)
    if n_candidates == 1:
        return ""
    others = [name for name in found.candidates if name != found.strategy]
    if n_candidates == 2:
        return f" (on these questions better than {others[0]}, and therefore chosen)"
    return f" (on these questions the best of {n_candidates} such strategies, and therefore chosen)"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
