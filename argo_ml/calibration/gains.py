"""The gains of the original process as a calibration measured them, in shares of right answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.record import Calibration, GainEstimate
from argo_ml.statistics.intervals import Estimate, change_estimate
from argo_ml.statistics.resampling import mean_estimate
from argo_ml.types import Action

GRID = 1000
"""Usable gains are multiples of u_max / GRID, so that the process has few states."""


def estimate_gains(explored: Exploration) -> dict[str, GainEstimate]:
    """delta_r and delta_p: mean change of the share of right answers by a retrieval that succeeded
    and by a reasoning step, first and later ones alike; p_s: share of retrievals that succeeded.

    Right answers and not p-hat: a p-hat that is calibrated changes by as much on average, but one
    fitted to few questions changes by what its features say, and its own error is in no interval.
    Steps of one question are averaged first, and intervals are over questions.
    """
    changes: dict[str, defaultdict[int, list[float]]] = {
        name: defaultdict(list) for name in ("delta_r", "delta_p", "p_s")
    }
    for edge in explored.edges:
        question, succeeded = edge.after.question, edge.after.succeeded
        change = float(edge.after.correct) - float(edge.before.correct)
        if edge.action is Action.REASON:
            changes["delta_p"][question].append(change)
            continue
        changes["p_s"][question].append(float(succeeded))
        if succeeded:
            changes["delta_r"][question].append(change)
    return {
        name: _estimate(
            list(by_question.values()), mean_estimate if name == "p_s" else change_estimate
        )
        for name, by_question in changes.items()
    }


@dataclass(frozen=True, slots=True)
class UsableGains:
    delta_r: float
    delta_p: float
    p_s: float


def usable_gains(calibration: Calibration, u_max: float) -> UsableGains:
    """The measured gains as parameters of the process, which takes none that is not above 0.

    A gain that was measured at or below the grid's smallest counts as that: the action is then
    worth nothing but for its price.
    """

    def on_grid(name: str) -> float:
        return max(1, round(calibration.gains[name].mean * GRID)) / GRID * u_max

    p_s = max(calibration.gains["p_s"].mean, 1 / GRID)
    return UsableGains(on_grid("delta_r"), on_grid("delta_p"), p_s)


def _estimate(
    by_question: Sequence[Sequence[float]], estimated: Callable[[Sequence[float]], Estimate]
) -> GainEstimate:
    if not by_question:
        return GainEstimate(mean=0.0, low=0.0, high=0.0, n=0)
    means = [fmean(values) for values in by_question]
    interval = estimated(means)
    n_steps = sum(map(len, by_question))
    return GainEstimate(mean=fmean(means), low=interval.low, high=interval.high, n=n_steps)
