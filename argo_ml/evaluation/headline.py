"""The question that a sweep answers, and its answer in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from argo_ml.evaluation.judged_cells import JudgedCell, areas, best_fixed, by_strategy, judge_cells
from argo_ml.evaluation.record import Headline
from argo_ml.evaluation.roles import contenders_of, is_calibrated
from argo_ml.policies.description import Role
from argo_ml.results.records import Results
from argo_ml.statistics.intervals import Estimate
from argo_ml.statistics.resampling import average

PREFERRED = (Role.ADAPTIVE, Role.ORIGINAL)
"""The answer is about the contenders of the first of these roles of which any ran, else about all
other strategies that are calibrated, which are the gates."""


def question(results: Results) -> str:
    """The question that the answer answers, with what the sweep was of."""
    rows, spec = results.cells[0].questions, results.spec
    difficulty = str(spec["difficulty"])
    kind = "all-difficulty" if difficulty == "all" else difficulty
    # Where the source knows no difficulties, the difficulty of the spec says nothing.
    has_difficulties = any(row.difficulty for row in rows)
    questions = [str(len(rows)), *([kind] if has_difficulties else []), str(spec["dataset"])]
    return (
        f"Does deciding by the question beat the best fixed strategy, on {' '.join(questions)} "
        f"questions with {Path(str(spec['model'])).name}?"
    )


def answer_of(results: Results) -> str:
    """The answer without the rest of the evaluation."""
    cells = judge_cells(results)
    return answer(headline(cells), cells)


def headline(cells: Sequence[JudgedCell]) -> Headline | None:
    """None where no adaptive strategy or no fixed one ran."""
    candidates, fixed = _candidates(cells), best_fixed(cells)
    if not candidates or not fixed:
        return None
    area = areas(cells)
    best = max(candidates, key=area.__getitem__)
    pairs = [(cell, fixed[cell.price]) for cell in by_strategy(cells)[best] if cell.price in fixed]
    differences = [cell.utility - baseline.utility for cell, baseline in pairs]
    at_prices = [difference.estimate for difference in differences]
    return Headline(
        strategy=best,
        candidates=candidates,
        gain=average(differences).estimate,
        n_prices=len(pairs),
        n_above=sum(estimate.low > 0.0 for estimate in at_prices),
        n_below=sum(estimate.high < 0.0 for estimate in at_prices),
        is_identical=all(cell.acts_like(baseline) for cell, baseline in pairs),
    )


def _candidates(cells: Sequence[JudgedCell]) -> tuple[str, ...]:
    ran = by_strategy(cells)
    for role in PREFERRED:
        contenders = tuple(name for name in contenders_of(role) if name in ran)
        if contenders:
            return contenders
    return tuple(filter(is_calibrated, ran))


def answer(headline: Headline | None, cells: Sequence[JudgedCell]) -> str:
    """The headline in a sentence; without one, what was missing."""
    if headline is None:
        missing = "decides by the question" if best_fixed(cells) else "treats all questions alike"
        return f"Not asked: no strategy that {missing} ran."
    prices = _counted(headline.n_prices, "price")
    if headline.is_identical:
        return (
            f"Nothing to compare: {headline.strategy} acts and answers like the best fixed "
            f"strategy on every question, at {prices}."
        )
    gain = headline.gain
    return (
        f"{_verdict(gain)}: the utility of {headline.strategy}{_choice(headline)} minus that of "
        f"the best fixed strategy is {gain.mean:+.3f} on average over {prices}, 95 % "
        f"interval {gain.low:+.3f} to {gain.high:+.3f}; the interval at a single "
        f"price lies above 0 at {headline.n_above} and below 0 at {headline.n_below} of them."
    )


def _verdict(gain: Estimate) -> str:
    if gain.low > 0.0:
        return "Yes"
    return "No, it loses" if gain.high < 0.0 else "Not shown"


def _choice(headline: Headline) -> str:
    n_candidates = len(headline.candidates)
    if n_candidates == 1:
        return ""
    others = [name for name in headline.candidates if name != headline.strategy]
    if n_candidates == 2:
        return f" (on these questions better than {others[0]}, and therefore chosen)"
    return f" (on these questions the best of {n_candidates} such strategies, and therefore chosen)"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
