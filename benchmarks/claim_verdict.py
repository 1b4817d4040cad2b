"""The tests that docs/protocol.md promises, of one policy against the best fixed plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.statistics.intervals import holm
from argo_ml.statistics.permutation import sign_flip_p_value
from argo_ml.statistics.resampling import mean_estimate

Floats = NDArray[np.float64]
LEVEL = 0.05
NOT_BELOW = -0.01
FEWEST_PRICES = 6
ACCURACY_MARGIN = 0.01


@dataclass(frozen=True)
class Judged:
    """Utilities of the same questions at one price: the policy's, and of every fixed plan."""

    price: float
    utility: Floats
    fixed: Mapping[str, Floats]

    @property
    def best_fixed(self) -> str:
        """The fixed plan of the highest mean utility on these very questions, which favours it."""
        return max(self.fixed, key=lambda name: float(self.fixed[name].mean()))

    @property
    def gain(self) -> Floats:
        return self.utility - self.fixed[self.best_fixed]


def price_rows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """By price the gain with its 95 % interval, its p-value by sign flips, and Holm's of all."""
    p_values = {own.price: float(sign_flip_p_value(own.gain)) for own in judged}
    adjusted = holm(p_values)
    rows = []
    for own in judged:
        estimate = mean_estimate(own.gain)
        rows.append(
            {
                "c_r": own.price,
                "best fixed": own.best_fixed,
                "gain": estimate.mean,
                "low": estimate.low,
                "high": estimate.high,
                "p": p_values[own.price],
                "Holm's p": adjusted[own.price],
            }
        )
    return rows


def mean_gain(judged: Sequence[Judged]) -> dict[str, float]:
    """The gain averaged over prices, with its interval over questions."""
    estimate = mean_estimate(np.mean([own.gain for own in judged], axis=0))
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}


def is_shown(rows: Sequence[Mapping[str, Any]], gain: Mapping[str, float]) -> dict[str, bool]:
    """What the protocol asks for, part by part; accuracy at half the retrievals apart."""
    n_above = sum(row["gain"] > 0 and row["Holm's p"] <= LEVEL for row in rows)
    return {
        "mean gain above 0": gain["low"] > 0,
        f"above 0 at {FEWEST_PRICES} prices by Holm": n_above >= FEWEST_PRICES,
        f"above {NOT_BELOW:g} at all prices": all(row["low"] > NOT_BELOW for row in rows),
    }


def halves_retrievals(accuracy: float, retrievals: float, always: Mapping[str, float]) -> bool:
    """Whether Always-Retrieve's accuracy is reached to a point at half of its retrievals."""
    is_as_right = accuracy >= always["accuracy"] - ACCURACY_MARGIN
    return is_as_right and retrievals <= always["retrieval_calls"] / 2
