"""What a gate's scores buy: accuracy over retrievals, at a budget or at a price.

A gate gives each question a score, higher where it would rather retrieve. ``without`` and ``with_``
say whether the answer is right without and with retrieval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from argo_ml.statistics.columns import Column, outcome_column, score_column, top_sums

_ROUNDING = 1e-9
"""Far below what one question changes; without it a budget of 0.29 would buy 28 of 100."""


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """Accuracy at a budget; both budget and use are shares of questions that retrieve."""

    budget: float
    retrieval_share: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class _Gated:
    scores: Column
    n_correct_without: float
    gains: Column
    """With minus without: 1 where retrieval helps, -1 where it harms."""


def exact_frontier(
    scores: Sequence[float],
    without: Sequence[bool],
    with_: Sequence[bool],
    budgets: Sequence[float],
) -> tuple[FrontierPoint, ...]:
    """Accuracy where exactly the top floor(budget * n) questions by score retrieve.

    Nobody can act like this before having seen all questions: it is what the ranking is worth.
    Accuracy is the expectation over all orders of tied scores. Raises ValueError for a budget
    outside [0, 1], a score that is not finite, unpaired columns and without any question.
    """
    gated = _gated(scores, without, with_)
    n = gated.scores.size
    n_correct = gated.n_correct_without + top_sums(gated.scores, gated.gains)
    counts = [_n_within(budget, n) for budget in budgets]
    return tuple(
        FrontierPoint(budget, n_retrieved / n, float(n_correct[n_retrieved] / n))
        for budget, n_retrieved in zip(budgets, counts, strict=True)
    )


def threshold_for_budget(calibration_scores: Sequence[float], rho: float) -> float:
    """Smallest threshold at which at most floor(rho * n) of the n scores are at or above it.

    It is one of the scores, ``math.inf`` where even the highest has too many ties, and
    ``-math.inf`` where the budget covers all n, so that unseen low scores retrieve as well.
    Raises ValueError for a budget outside [0, 1] and for a score that is not finite.
    """
    return _budget_threshold(score_column(calibration_scores), rho)


def deployable_frontier(
    calibration_scores: Sequence[float],
    scores: Sequence[float],
    without: Sequence[bool],
    with_: Sequence[bool],
    budgets: Sequence[float],
) -> tuple[FrontierPoint, ...]:
    """Accuracy and realized use at the thresholds that keep each budget on the calibration scores.

    The realized use can exceed the budget. Raises ValueError as `exact_frontier` does.
    """
    calibration, gated = score_column(calibration_scores), _gated(scores, without, with_)
    return _frontier(calibration, gated, budgets, kept=budgets)


def conservative_budget(rho: float, n: int, delta: float = 0.05) -> float:
    """max(0, rho - sqrt(ln(2 / delta) / (2 n))), by Hoeffding (1963), theorem 1.

    A threshold that keeps it on n calibration questions keeps ``rho`` on the population with
    probability 1 - delta. That the threshold is chosen on the same questions does no harm: by
    Massart (1990) the bound holds for all thresholds at once. The use on a finite test set scatters
    around that of the population. Where the result is 0 the gate never retrieves. Raises ValueError
    for rho outside [0, 1], n below 1 and delta outside (0, 1).
    """
    _check_budget(rho)
    if n < 1:
        raise ValueError(f"n={n}: needs at least 1")
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta={delta}: needs 0 < delta < 1")
    return max(0.0, rho - math.sqrt(math.log(2.0 / delta) / (2.0 * n)))


def conservative_frontier(
    calibration_scores: Sequence[float],
    scores: Sequence[float],
    without: Sequence[bool],
    with_: Sequence[bool],
    budgets: Sequence[float],
    delta: float = 0.05,
) -> tuple[FrontierPoint, ...]:
    """The `deployable_frontier` at each budget's `conservative_budget`.

    ``FrontierPoint.budget`` is the budget that was asked for, not the lowered one.
    """
    calibration, gated = score_column(calibration_scores), _gated(scores, without, with_)
    kept = [conservative_budget(budget, calibration.size, delta) for budget in budgets]
    return _frontier(calibration, gated, budgets, kept)


@dataclass(frozen=True, slots=True)
class RandomSplits:
    """Scores of random splits into calibration and test, those of the calibration ascending."""

    calibration: npt.NDArray[np.float64]
    test: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls, scores: Sequence[float], n_calibration: int, *, seed: int, n_splits: int = 200
    ) -> RandomSplits:
        """Each split draws ``n_calibration`` of the scores without replacement, all subsets alike.

        The same seed gives the same splits whatever the order of the scores. Raises ValueError
        where ``n_calibration`` leaves no calibration or no test question, and for ``n_splits``
        below 1.
        """
        ordered = np.sort(score_column(scores))
        if not 0 < n_calibration < ordered.size:
            raise ValueError(f"n_calibration={n_calibration}: needs 1 to {ordered.size - 1}")
        if n_splits < 1:
            raise ValueError(f"n_splits={n_splits}: needs at least 1")
        generator = np.random.default_rng(seed)
        drawn = np.stack([generator.permutation(ordered) for _ in range(n_splits)])
        return cls(np.sort(drawn[:, :n_calibration], axis=1), drawn[:, n_calibration:])

    def exceedances(
        self, budgets: Sequence[float], *, conservative: bool, delta: float = 0.05
    ) -> tuple[float, ...]:
        """By budget rho, the share of splits on which the realized use exceeds it.

        A split's calibration gives the `threshold_for_budget` at rho, or at its
        `conservative_budget` for ``delta``. It exceeds where more than floor(rho * m) of its m test
        scores are at or above it. Raises ValueError as `conservative_budget` does.
        """
        n = self.calibration.shape[1]
        kept = [conservative_budget(rho, n, delta) if conservative else rho for rho in budgets]
        return tuple(map(self._exceedance, kept, budgets))

    def _exceedance(self, kept: float, allowed: float) -> float:
        """Share of splits of larger use than ``allowed`` at thresholds that keep ``kept``."""
        n_allowed = _n_within(allowed, self.test.shape[1])
        n_fired = np.sum(self.test >= self._thresholds(kept)[:, None], axis=1)
        return float(np.mean(n_fired > n_allowed))

    def _thresholds(self, rho: float) -> Column:
        """The `_budget_threshold` of every split."""
        n = self.calibration.shape[1]
        n_beyond = n - _n_within(rho, n)
        if n_beyond == 0:
            return np.full(len(self.calibration), -math.inf)
        above = [np.searchsorted(own, own[n_beyond - 1], "right") for own in self.calibration]
        rows = zip(self.calibration, above, strict=True)
        return np.array([own[at] if at < n else math.inf for own, at in rows])


def threshold_by_line(
    scores: Sequence[float], without: Sequence[bool], with_: Sequence[bool], price: float
) -> float:
    """The score from which on the benefit exceeds ``price`` on the least-squares line through
    scores and benefits (1 where retrieval helps, -1 where it harms).

    A line follows the trend of all questions, where the threshold that paid best follows the
    luckiest of them. ``math.inf``, or ``-math.inf`` where retrieving always pays on average, for a
    line that does not rise, and ``math.inf`` at prices that no benefit exceeds. Raises ValueError
    for a price that is negative or not finite, and for columns as `exact_frontier` does.
    """
    if not 0.0 <= price < math.inf:
        raise ValueError(f"price={price}: needs 0 <= price < inf")
    gated = _gated(scores, without, with_)
    if price >= 1.0:
        return math.inf
    mean_gain, deviations = float(gated.gains.mean()), gated.scores - gated.scores.mean()
    spread = float(deviations @ deviations)
    # Equal scores deviate from their mean by its rounding.
    is_flat = np.ptp(gated.scores) <= _ROUNDING * max(1.0, float(np.abs(gated.scores).max()))
    slope = 0.0 if is_flat else float(deviations @ gated.gains) / spread
    if not slope > 0:
        return -math.inf if mean_gain > price else math.inf
    return float(gated.scores.mean()) + (price - mean_gain) / slope


def _gated(scores: Sequence[float], without: Sequence[bool], with_: Sequence[bool]) -> _Gated:
    column = score_column(scores)
    correct_without = outcome_column(without, column.size)
    gains = outcome_column(with_, column.size) - correct_without
    return _Gated(column, float(correct_without.sum()), gains)


def _check_budget(rho: float) -> None:
    if not 0.0 <= rho <= 1.0:
        raise ValueError(f"budget={rho}: needs 0 <= budget <= 1")


def _n_within(rho: float, n: int) -> int:
    _check_budget(rho)
    return math.floor(rho * n + _ROUNDING)


def _budget_threshold(calibration: Column, rho: float) -> float:
    n_beyond = calibration.size - _n_within(rho, calibration.size)
    if n_beyond == 0:
        return -math.inf
    highest_beyond = np.partition(calibration, n_beyond - 1)[n_beyond - 1]
    return float(calibration[calibration > highest_beyond].min(initial=math.inf))


def _frontier(
    calibration: Column, gated: _Gated, budgets: Sequence[float], kept: Sequence[float]
) -> tuple[FrontierPoint, ...]:
    """One point per budget, at the threshold that keeps its partner on the calibration scores."""
    return tuple(
        _point(gated, budget, _budget_threshold(calibration, rho))
        for budget, rho in zip(budgets, kept, strict=True)
    )


def _point(gated: _Gated, budget: float, threshold: float) -> FrontierPoint:
    retrieved = gated.scores >= threshold
    n_correct = gated.n_correct_without + gated.gains[retrieved].sum()
    return FrontierPoint(budget, float(retrieved.mean()), float(n_correct / gated.scores.size))
