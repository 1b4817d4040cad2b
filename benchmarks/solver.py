"""The exact solver against value iteration on the same states."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.mdp.progress import transitions
from benchmarks.reporting import report

PRICES = tuple(0.02 * step for step in range(1, 11))
TOLERANCE = 1e-12
Made = TypeVar("Made")


def main() -> None:
    rows = []
    for name, gains in (("default gains", (0.25, 0.08)), ("1,001 states", (0.25, 0.001))):
        specs = [MDPSpec(price, delta_r=gains[0], delta_p=gains[1]) for price in PRICES]
        transitions.cache_clear()
        exact, exact_s = _timed(partial(_each, solve, specs))
        iterated, iterated_s = _timed(partial(_each, iterate, specs))
        rows.append(
            {
                "process": name,
                "states": len(exact[0].states),
                "exact, ten prices (s)": exact_s,
                "value iteration (s)": iterated_s,
                "ratio": iterated_s / exact_s,
                "largest difference of V(0)": max(
                    abs(a.optimal_value - b) for a, b in zip(exact, iterated, strict=True)
                ),
            }
        )
    report("solver", rows)


def iterate(spec: MDPSpec) -> float:
    """V*(0) by the Bellman equations, vectorised over states, until nothing moves."""
    table = transitions(spec.gains)
    states = list(table)
    at = {state: index for index, state in enumerate(states)}
    after_retrieve = np.array([at[table[state].retrieve] for state in states])
    after_reason = np.array([at[table[state].reason] for state in states])
    stop = np.array(states) / spec.u_max
    value = np.zeros(len(states))
    while True:
        retrieve = -spec.mu * spec.retrieval_cost + spec.gamma * (
            spec.p_s * value[after_retrieve] + (1 - spec.p_s) * value
        )
        reason = -spec.mu * spec.reason_cost + spec.gamma * value[after_reason]
        updated = np.maximum(np.maximum(retrieve, reason), stop)
        if np.max(np.abs(updated - value)) < TOLERANCE:
            return float(updated[0])
        value = updated


def _each(solver: Callable[[MDPSpec], Made], specs: list[MDPSpec]) -> list[Made]:
    return [solver(spec) for spec in specs]


def _timed(work: Callable[[], Made]) -> tuple[Made, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


if __name__ == "__main__":
    main()
