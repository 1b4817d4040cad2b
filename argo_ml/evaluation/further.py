"""How many questions would settle each price, by the spread of the differences observed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from argo_ml.evaluation.judged_cells import JudgedCell, best_fixed
from argo_ml.evaluation.record import FurtherQuestions
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.results.unit import SHARES, Unit
from argo_ml.statistics.intervals import ROUNDING
from argo_ml.statistics.power import pairs_to_settle
from argo_ml.statistics.sequential import MARGIN

MOST = 100_000
"""Questions beyond which a price is said not to be worth settling."""
ROUGH = "Such numbers are rough, to a factor of 2 or several."


def further_questions(
    cells: Sequence[JudgedCell], strategy: str | None, n_calibration: int | None = None
) -> tuple[FurtherQuestions, ...]:
    """Of ``strategy`` against the best fixed one; where that is None, of retrieving once against
    not at all. ``n_calibration`` is the number of questions of the calibration."""
    name = strategy or SINGLE
    baselines = best_fixed(cells)
    if strategy is None:
        baselines = {cell.price: cell for cell in cells if cell.strategy == NEVER}
    return tuple(
        _further(cell, baselines[cell.price], n_calibration)
        for cell in cells
        if cell.strategy == name and cell.price in baselines
    )


def _further(cell: JudgedCell, baseline: JudgedCell, n_calibration: int | None) -> FurtherQuestions:
    differences = list((cell.utility - baseline.utility).values)
    is_free = not any(abs(difference) > ROUNDING for difference in differences)
    is_same = is_free and cell.acts_like(baseline)
    needed = 0 if is_same else pairs_to_settle(differences, MARGIN)
    return FurtherQuestions(
        strategy=cell.strategy,
        baseline=baseline.strategy,
        retrieval_cost=cell.price,
        n_needed=needed,
        n_test=None if needed is None else max(needed - len(differences), 0),
        n_calibration=None
        if needed is None or n_calibration is None
        else max(needed - n_calibration, 0),
    )


def further_lines(further: Sequence[FurtherQuestions], unit: Unit = SHARES) -> Iterator[str]:
    """One sentence for all prices."""
    if not further:
        return
    prices = "; ".join(_at_price(own, unit) for own in further)
    doubt = f" {ROUGH}" if any(map(_is_rough, further)) else ""
    yield (
        f"To settle {further[0].strategy} at each price, its sign or that it matters less than "
        f"{MARGIN:g} (80 % power at the 5 % level), takes further questions: {prices}.{doubt}"
    )


def _is_rough(own: FurtherQuestions) -> bool:
    """Whether more questions are named: what settles a price by those asked is known well."""
    return own.n_needed is not None and bool(own.n_test)


def _at_price(own: FurtherQuestions, unit: Unit) -> str:
    """``1,200 test and 900 calibration questions at c_r = 0.02``"""
    where = f"at {unit.at_price(own.retrieval_cost)}"
    if own.n_test is None:
        return f"unknown {where}, where it differs from {own.baseline} alike on all questions"
    if own.n_needed == 0:
        return f"nothing to settle {where}, where it does as {own.baseline}"
    if not own.n_test and not own.n_calibration:
        return f"none {where}"
    if own.n_test > MOST:
        return f"more than {MOST:,} {where}"
    parts = [f"{rounded(own.n_test)} test"]
    if own.n_calibration is not None:
        parts.append(f"{rounded(own.n_calibration)} calibration")
    return f"{' and '.join(parts)} {where}"


def rounded(n: int) -> str:
    """To two digits: it is no better known."""
    digits = max(len(str(n)) - 2, 0)
    return f"{round(n, -digits):,}"
