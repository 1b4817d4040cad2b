"""What theory says of Graph 1.B, and what the sweep says of retrieving and of ARGO."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import fmean

from argo_ml.evaluation.break_even import break_evens
from argo_ml.evaluation.contrasts import contrasts_of
from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.record import Contrast
from argo_ml.evaluation.roles import stopping_at_theta_star
from argo_ml.evaluation.sentences import break_even_value
from argo_ml.policies.always_reason import ALWAYS_REASON
from argo_ml.policies.always_retrieve import ALWAYS_RETRIEVE
from argo_ml.policies.argo import ARGO
from argo_ml.results.question_rows import action_counts
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.intervals import shows_spread
from argo_ml.types import Action
from argo_ml.verification.verdict import (
    Claim,
    Verdict,
    above_zero,
    at_least_zero,
    finding,
    judged,
)

_TOLERANCE = 1e-9


def graph_1b_verdicts(results: Results) -> Iterator[Verdict]:
    """What fixed gains of progress imply of the strategies that ran."""
    if results.row(ALWAYS_RETRIEVE):
        yield _check_top(results)
    if results.row(ALWAYS_REASON):
        yield _check_bottom(results)
    if results.row(ARGO):
        yield _check_falling(results)


def _check_top(results: Results) -> Verdict:
    highest = {cell.retrieval_cost: _calls(cell) for cell in results.row(ALWAYS_RETRIEVE)}
    # They stop at the same progress, so that it bounds their retrievals.
    others = [
        cell
        for name in stopping_at_theta_star()
        if name != ALWAYS_RETRIEVE
        for cell in results.row(name)
    ]
    problems = [
        f"{cell.name} retrieves {_calls(cell):.3f} times, {ALWAYS_RETRIEVE} "
        f"{highest[cell.retrieval_cost]:.3f}"
        for cell in others
        if _calls(cell) > highest[cell.retrieval_cost] + _TOLERANCE
    ]
    fine = f"at or above {len(others)} cells of strategies that stop at the same progress"
    return judged(f"Graph 1.B: {ALWAYS_RETRIEVE} on top", problems, fine)


def _check_bottom(results: Results) -> Verdict:
    problems = [
        f"{cell.name} retrieves {_calls(cell):.3f} times"
        for cell in results.row(ALWAYS_REASON)
        if _calls(cell) > 0
    ]
    return judged(f"Graph 1.B: {ALWAYS_REASON} at zero", problems, "it never retrieves")


def _check_falling(results: Results) -> Verdict:
    cells = results.row(ARGO)
    problems = [
        f"{_calls(cheap):.3f} at c_r={cheap.retrieval_cost:g} and {_calls(dear):.3f} at "
        f"c_r={dear.retrieval_cost:g}"
        for cheap, dear in pairwise(cells)
        if _calls(dear) > _calls(cheap) + _TOLERANCE
    ]
    fine = f"from {_calls(cells[0]):.2f} to {_calls(cells[-1]):.2f} retrievals, never rising"
    return judged(f"Graph 1.B: {ARGO} falls with the price", problems, fine)


def _calls(cell: CellResult) -> float:
    return fmean(action_counts(cell.questions, Action.RETRIEVE).tolist())


def retrieving_findings(results: Results) -> Iterator[Verdict]:
    """Per break-even price, whether retrieving pays at the lowest and at the highest swept one."""
    for break_even in break_evens(results):
        for price in dict.fromkeys((results.prices[0], results.prices[-1])):
            yield finding(
                f"{break_even.more} more useful than {break_even.fewer} at c_r={price:g}",
                above_zero(break_even.price.low - price, break_even.price.high - price),
                f"break-even price {break_even_value(break_even)}; yes needs its interval above "
                f"{price:g}, no at or below it",
            )


def utility_findings(results: Results) -> Iterator[Verdict]:
    """Per price, whether ARGO's utility is at least that of the best fixed strategy."""
    cells = judge_cells(results)
    for contrast in contrasts_of(ARGO, cells):
        utility = contrast.utility
        yield finding(
            f"{ARGO} at least as useful as the best fixed strategy at "
            f"c_r={contrast.retrieval_cost:g}",
            Claim.YES if contrast.changes_nothing else at_least_zero(utility.low, utility.high),
            _describe(contrast, len(cells[0].result.questions)),
        )


def _describe(contrast: Contrast, n_questions: int) -> str:
    utility = contrast.utility
    text = (
        f"{utility.mean:+.4f} against {contrast.baseline} (the best by mean utility here), paired "
        f"bootstrap 95 % [{utility.low:+.4f}, {utility.high:+.4f}], n={n_questions}"
    )
    if contrast.is_identical:
        return f"{text}; both acted and answered alike on every question"
    if not shows_spread(utility.low, utility.high):
        return f"{text}; the same on every question, so that nothing is known of its uncertainty"
    return f"{text}; yes needs the interval at or above 0, no below it"
