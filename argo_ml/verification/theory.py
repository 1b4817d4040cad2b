"""What theory says of Graph 1.B, and what the sweep says of ARGO."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import fmean

from argo_ml.evaluation.comparison import SUBJECT, Comparison, compare_with_best_baseline, n_actions
from argo_ml.results.records import CellResult, Results
from argo_ml.sweep.record import cell_name
from argo_ml.types import Action
from argo_ml.verification.verdict import Verdict, judged

_TOLERANCE = 1e-9
_TOP = "always_retrieve"
_BOTTOM = "always_reason"
SAME_STOP = (SUBJECT, _BOTTOM, "random")
"""Strategies that stop at the theta* of always_retrieve, so that it bounds their retrievals."""


def graph_1b_verdicts(results: Results) -> Iterator[Verdict]:
    """Fixed gains of progress imply each; only strategies that ran are looked at."""
    if results.row(_TOP):
        yield _check_top(results)
    if results.row(_BOTTOM):
        yield _check_bottom(results)
    if results.row(SUBJECT):
        yield _check_falling(results)


def _check_top(results: Results) -> Verdict:
    highest = {cell.retrieval_cost: _calls(cell) for cell in results.row(_TOP)}
    others = [cell for name in SAME_STOP for cell in results.row(name)]
    problems = [
        f"{cell_name(cell)} retrieves {_calls(cell):.3f} times, {_TOP} "
        f"{highest[cell.retrieval_cost]:.3f}"
        for cell in others
        if _calls(cell) > highest[cell.retrieval_cost] + _TOLERANCE
    ]
    fine = f"at or above {len(others)} cells of strategies that stop at the same progress"
    return judged(f"Graph 1.B: {_TOP} on top", problems, fine)


def _check_bottom(results: Results) -> Verdict:
    problems = [
        f"{cell_name(cell)} retrieves {_calls(cell):.3f} times"
        for cell in results.row(_BOTTOM)
        if _calls(cell) > 0
    ]
    return judged(f"Graph 1.B: {_BOTTOM} at zero", problems, "it never retrieves")


def _check_falling(results: Results) -> Verdict:
    cells = results.row(SUBJECT)
    problems = [
        f"{_calls(cheap):.3f} at c_r={cheap.retrieval_cost:g} and {_calls(dear):.3f} at "
        f"c_r={dear.retrieval_cost:g}"
        for cheap, dear in pairwise(cells)
        if _calls(dear) > _calls(cheap) + _TOLERANCE
    ]
    fine = f"from {_calls(cells[0]):.2f} to {_calls(cells[-1]):.2f} retrievals, never rising"
    return judged(f"Graph 1.B: {SUBJECT} falls with the price", problems, fine)


def _calls(cell: CellResult) -> float:
    return fmean(n_actions(cell, Action.RETRIEVE))


def utility_findings(results: Results) -> Iterator[Verdict]:
    """Per price, whether ARGO's utility is at least the best baseline's: as it came out."""
    for comparison in compare_with_best_baseline(results):
        yield Verdict(
            f"{SUBJECT} at least as useful as the best baseline at "
            f"c_r={comparison.retrieval_cost:g}",
            comparison.difference.mean >= -_TOLERANCE,
            _describe(comparison),
            is_finding=True,
        )


def _describe(comparison: Comparison) -> str:
    found = comparison.difference
    text = (
        f"{found.mean:+.4f} against {comparison.baseline} (the best by mean utility here), paired "
        f"bootstrap 95 % [{found.interval.low:+.4f}, {found.interval.high:+.4f}], n={found.n}"
    )
    if comparison.identical:
        return f"{text}; both acted and answered alike on every question"
    if 0.0 in found.interval:
        return f"{text}; the interval holds 0"
    return text
