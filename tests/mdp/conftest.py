"""An independent evaluation of the process: integer counts, dense matrices, plain iteration.

Shares no code with the solver except `MDPSpec`, which carries the numbers.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from argo_ml.mdp.process import MDPSpec

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BruteForce:
    spec: MDPSpec

    def progress(self) -> Array:
        """U of every (retrievals, reasoning steps); the counts that matter end at u_max."""
        retrievals = np.arange(math.ceil(self.spec.u_max / self.spec.delta_r) + 1)
        reasonings = np.arange(math.ceil(self.spec.u_max / self.spec.delta_p) + 1)
        total = retrievals[:, None] * self.spec.delta_r + reasonings[None, :] * self.spec.delta_p
        return np.minimum(np.round(total, 10), self.spec.u_max)

    def quality(self) -> Array:
        x, alpha = self.progress() / self.spec.u_max, self.spec.alpha
        formulas = {
            "linear": x,
            "sqrt": x**0.5,
            "saturating": 1 - np.exp(-alpha * x),
            "sigmoid": 1 / (1 + np.exp(-alpha * (x - 0.5))),
        }
        return np.asarray(formulas[self.spec.quality], dtype=np.float64)

    def optimal_value(self) -> float:
        """V*(0) by value iteration on the Bellman equations as DESIGN writes them."""
        spec, quality = self.spec, self.quality()
        value = np.zeros_like(quality)
        for _ in range(20_000):
            after_retrieve, after_reason = _shifted(value)
            success, failure = spec.p_s * after_retrieve, (1 - spec.p_s) * value
            retrieve = -spec.mu * spec.retrieval_cost + spec.gamma * (success + failure)
            reason = -spec.mu * spec.reason_cost + spec.gamma * after_reason
            updated = np.maximum(np.maximum(retrieve, reason), quality)
            if np.max(np.abs(updated - value)) < 1e-14:
                return float(updated[0, 0])
            value = updated
        raise AssertionError("value iteration did not converge")

    def threshold_value(self, theta_cont: float, theta_star: float) -> float:
        """V(0) of a pair of thresholds: the linear system (I - gamma P) v = r, solved."""
        spec, progress, quality = self.spec, self.progress(), self.quality()
        index = np.arange(progress.size).reshape(progress.shape)
        after_retrieve, after_reason = _shifted(index)
        matrix, reward = np.eye(progress.size), np.zeros(progress.size)
        for at in np.ndindex(progress.shape):
            here = index[at]
            if progress[at] >= theta_star:
                reward[here] = quality[at]
            elif progress[at] < theta_cont:
                matrix[here, after_retrieve[at]] -= spec.gamma * spec.p_s
                matrix[here, here] -= spec.gamma * (1 - spec.p_s)
                reward[here] = -spec.mu * spec.retrieval_cost
            else:
                matrix[here, after_reason[at]] -= spec.gamma
                reward[here] = -spec.mu * spec.reason_cost
        return float(np.linalg.solve(matrix, reward)[0])

    def pairs(self) -> list[tuple[float, float]]:
        candidates = sorted(set(self.progress().flat))
        return [(low, high) for high in candidates for low in candidates if low <= high]


def _shifted(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Values after one more retrieval and after one more reasoning step; the last ones stay."""
    after_retrieve = np.concatenate([values[1:], values[-1:]], axis=0)
    after_reason = np.concatenate([values[:, 1:], values[:, -1:]], axis=1)
    return after_retrieve, after_reason


@pytest.fixture(name="brute_force", scope="session")
def _brute_force() -> type[BruteForce]:
    return BruteForce
