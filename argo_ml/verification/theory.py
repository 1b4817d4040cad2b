"""What theory says of Graph 1.B, and what the sweep says of retrieving and of ARGO."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import fmean

import numpy as np

from argo_ml.evaluation.break_even import break_evens
from argo_ml.evaluation.contrasts import contrasts_of
from argo_ml.evaluation.headline import has_measured_progress
from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.record import BreakEven, Contrast
from argo_ml.evaluation.roles import stopping_at_theta_star
from argo_ml.evaluation.sentences import break_even_value
from argo_ml.policies.always_reason import ALWAYS_REASON
from argo_ml.policies.always_retrieve import ALWAYS_RETRIEVE
from argo_ml.policies.argo import ARGO
from argo_ml.results.metrics import utilities
from argo_ml.results.question_rows import action_counts
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.columns import Column
from argo_ml.statistics.intervals import Estimate, shows_spread
from argo_ml.statistics.resampling import resample
from argo_ml.types import Action
from argo_ml.verification.verdict import (
    Claim,
    Verdict,
    claim_above,
    finding,
    judged,
)

_TOLERANCE = 1e-9
_NEEDED = "yes needs interval and p (0.05) to tell that it is above 0, no that it is below"


def graph_1b_verdicts(results: Results) -> Iterator[Verdict]:
    """What fixed gains of progress imply of the strategies that ran.

    Measured progress may fall, so that strategies stop at other steps and may retrieve more often
    at a dearer price: then it is found, not checked, whether they do.
    """
    implied = _finding_of if has_measured_progress(results) else _check_of
    if results.row(ALWAYS_RETRIEVE):
        yield implied(_top(results))
    if results.row(ALWAYS_REASON):
        yield _bottom(results)
    if results.row(ARGO):
        yield implied(_falling(results))


def _check_of(verdict: Verdict) -> Verdict:
    return verdict


def _finding_of(verdict: Verdict) -> Verdict:
    return finding(verdict.name, Claim.YES if verdict.ok else Claim.NO, verdict.detail)


def _top(results: Results) -> Verdict:
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


def _bottom(results: Results) -> Verdict:
    problems = [
        f"{cell.name} retrieves {_calls(cell):.3f} times"
        for cell in results.row(ALWAYS_REASON)
        if _calls(cell) > 0
    ]
    return judged(f"Graph 1.B: {ALWAYS_REASON} at zero", problems, "it never retrieves")


def _falling(results: Results) -> Verdict:
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
    """Per break-even price, whether retrieving pays at the lowest and at the highest swept one;
    nothing of a price where a cell is missing."""
    ends = dict.fromkeys((results.prices[0], results.prices[-1]))
    asked = [
        (own, price, gained)
        for own in break_evens(results)
        for price in ends
        if (gained := _gained(own, price, results)) is not None
    ]
    differences = resample([gained for *_, gained in asked])
    for (own, price, _), difference in zip(asked, differences, strict=True):
        yield finding(
            f"{own.more} more useful than {own.fewer} at c_r={price:g}",
            claim_above(difference.sign),
            f"{_difference(difference.estimate, difference.p_value)}; break-even price "
            f"{break_even_value(own)}; {_NEEDED}",
        )


def _gained(break_even: BreakEven, price: float, results: Results) -> Column | None:
    """By question, what retrieving more gains at a price; None without both cells."""
    cells = [
        cell
        for strategy in (break_even.more, break_even.fewer)
        for cell in results.row(strategy)
        if cell.retrieval_cost == price
    ]
    if len(cells) < 2:
        return None
    more, fewer = (utilities(cell, float(results.spec["mu"])) for cell in cells)
    gained: Column = np.subtract(more, fewer)
    return gained


def utility_findings(results: Results) -> Iterator[Verdict]:
    """Per price, whether ARGO's utility is at least that of the best fixed strategy."""
    cells = judge_cells(results)
    for contrast in contrasts_of(ARGO, cells):
        yield finding(
            f"{ARGO} at least as useful as the best fixed strategy at "
            f"c_r={contrast.retrieval_cost:g}",
            Claim.YES if contrast.changes_nothing else claim_above(contrast.sign),
            _describe(contrast, len(cells[0].result.questions)),
        )


def _describe(contrast: Contrast, n_questions: int) -> str:
    text = (
        f"{contrast.utility.mean:+.4f} against {contrast.baseline} (the best by mean utility here)"
        f"{_how_sure(contrast.utility, contrast.p_utility)}, n={n_questions}"
    )
    if contrast.is_identical:
        return f"{text}; both acted and answered alike on every question"
    return f"{text}; {_NEEDED}"


def _difference(utility: Estimate, p_value: float) -> str:
    return f"utility {utility.mean:+.4f}{_how_sure(utility, p_value)}"


def _how_sure(utility: Estimate, p_value: float) -> str:
    if not shows_spread(utility.low, utility.high):
        return f", the same on every question, p = {p_value:.2g}"
    return f", paired bootstrap 95 % [{utility.low:+.4f}, {utility.high:+.4f}], p = {p_value:.2g}"
