"""Calibration that asks where it learns most, against random questions, in retrospect.

What is learned is the plan, retrieving once or not at all, of every set at every price. Random
questions come from all sets alike. The other way begins with some at random, and then asks in the
set where `AHEAD` more questions are expected to raise the utility of the choice most (knowledge
gradient, Frazier, Powell and Dayanik 2008), over all prices. Judged on the other half of the
recorded calibration questions; no test question is read.

    python -m benchmarks.whom_to_ask nq.jsonl squad.jsonl --scorer contains
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from benchmarks.recorded_pairs import Pairs, read_pairs
from benchmarks.reporting import report

PRICES = np.array([0.02, 0.05, 0.1, 0.2, 0.4])
FIRST = 25
"""Questions of every set that are asked before any choice."""
AHEAD = 40
"""Looking one question ahead alone, sets that began unluckily are never asked again."""
Floats = NDArray[np.float64]


def worth_of_more(means: Floats, spreads: Floats, counts: Floats) -> Floats:
    """By set the expected rise of the utility of its plans, over all prices, by `AHEAD` more."""
    change = (spreads * np.sqrt(AHEAD / (counts * (counts + AHEAD))))[:, None]
    distance = np.abs(means[:, None] - PRICES) / change
    density = np.exp(-(distance**2) / 2) / np.sqrt(2 * np.pi)
    worth: Floats = (change * (density - distance * ndtr(-distance))).sum(axis=1)
    return worth


def directed(queues: Sequence[Floats], n: int) -> list[Floats]:
    """The benefits of ``n`` questions, asked where they are worth most."""
    counts = np.full(len(queues), FIRST)
    while counts.sum() < n:
        asked = [queue[:count] for queue, count in zip(queues, counts, strict=True)]
        means = np.array([own.mean() for own in asked])
        spreads = np.sqrt([(own.var() * own.size + 0.2) / (own.size + 1) for own in asked])
        is_left = counts < [queue.size for queue in queues]
        worth = np.where(is_left, worth_of_more(means, spreads, counts * 1.0), -1.0)
        counts[int(np.argmax(worth))] += 1
    return [queue[:count] for queue, count in zip(queues, counts, strict=True)]


def value(learned: Sequence[Floats], held_out: Sequence[Floats]) -> float:
    """Utility of the plans learned, over never retrieving, by question and price."""
    gains = [
        ((own.mean() > PRICES) * (other.mean() - PRICES)).mean()
        for own, other in zip(learned, held_out, strict=True)
    ]
    return float(np.mean(gains))


def trial(sets: Sequence[Pairs], n: int, is_directed: bool, n_draws: int) -> dict[str, Any]:
    generator, values = np.random.default_rng(0), []
    for _ in range(n_draws):
        orders = [generator.permutation(own.benefit) for own in sets]
        asked, held_out = ([own[:250] for own in orders], [own[250:] for own in orders])
        learned = directed(asked, n) if is_directed else [own[: n // len(sets)] for own in asked]
        values.append(value(learned, held_out))
    error = float(np.std(values) / len(values) ** 0.5)
    way = "where it is worth most" if is_directed else "at random"
    return {"asked": way, "questions": n, "value": float(np.mean(values)), "error": error}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", nargs="+", type=Path)
    parser.add_argument("--scorer", default="auto")
    parser.add_argument("--draws", type=int, default=400)
    given = parser.parse_args()
    sets = [read_pairs(path, given.scorer) for path in given.outcomes]
    ways = [(n, False) for n in (100, 180, 300)] + [(n, True) for n in (100, 140, 180)]
    report("whom_to_ask", [trial(sets, n, is_directed, given.draws) for n, is_directed in ways])


if __name__ == "__main__":
    main()
