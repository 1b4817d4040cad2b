"""Sweeps that stop once decided: how often they are wrong, and what they save.

Simulated sweeps of no difference at ten prices: how many tell anything wrong, at any price and any
look. Recorded outcomes in random orders, calibration files alone: where all questions tell a sign,
by the bootstrap's interval, is the same one told, and after what share of the questions?

    python -m benchmarks.sequential
    python -m benchmarks.sequential nq.jsonl squad.jsonl --scorer contains
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.statistics.betting import betting_interval
from argo_ml.statistics.intervals import Estimate, Interval
from argo_ml.statistics.resampling import mean_estimate
from argo_ml.statistics.sequential import LEVEL, MARGIN, Range, SequentialDifference, Sign
from benchmarks.recorded_pairs import Pairs, pooled, read_pairs
from benchmarks.recorded_sets import PRICES
from benchmarks.reporting import report

TEN_PRICES = tuple(0.02 * (1 + index) for index in range(10))
SHARD = 10
ROUNDING = 1e-9
Floats = NDArray[np.float64]


def false_signs(n_sweeps: int, n_questions: int, seed: int = 0) -> list[dict[str, Any]]:
    """The share of sweeps that tell anything wrong, of any price, at any look."""
    rows = []
    for name, is_wrong in SIMULATIONS.items():
        generator = np.random.default_rng(seed)
        n_wrong = sum(is_wrong(generator, n_questions) for _ in range(n_sweeps))
        row = {"simulated": name, "sweeps": n_sweeps, "questions": n_questions}
        rows.append({**row, "wrong": n_wrong / n_sweeps})
    return rows


def _one_retrieval(generator: np.random.Generator, n_questions: int) -> bool:
    """Retrieving once against not at all, at ten prices, worth one of them exactly."""
    worth = TEN_PRICES[generator.integers(10)]
    shares = (0.1 + worth / 2, 0.8, 0.1 - worth / 2)
    gains = generator.choice([1.0, 0.0, -1.0], n_questions, p=shares)
    told = told_at_prices(gains, TEN_PRICES)
    return any(own.sign in _untrue(worth - price) for price, own in told.items())


def _untrue(difference: float) -> set[Sign]:
    """The signs that a difference does not have."""
    untrue = {Sign.SMALL} if abs(difference) >= MARGIN else set()
    if difference <= ROUNDING:
        untrue.add(Sign.ABOVE)
    if difference >= -ROUNDING:
        untrue.add(Sign.BELOW)
    return untrue


def _ten_prices(generator: np.random.Generator, n_questions: int) -> bool:
    """A strategy that decides by chance, against two fixed ones, where retrieving once is worth
    each of ten prices exactly, so that there is no difference at any."""
    right, changes, score = generator.random((3, n_questions))
    signs = []
    for price in TEN_PRICES:
        gains = np.where(right < 0.6, 1.0 * (changes < 0.15), -1.0 * (changes < 0.15))
        net = gains - 0.03
        own = np.where(score < 1.0 - 4.0 * price, net, 0.0)
        difference = SequentialDifference(Range(-1.5, 1.5), n_families=len(TEN_PRICES))
        for block in _blocks(np.column_stack([own, own - net])):
            difference.add(block)
        signs.append(difference.sign)
    return any(sign in (Sign.ABOVE, Sign.BELOW) for sign in signs)


SIMULATIONS: Mapping[str, Callable[[np.random.Generator, int], bool]] = {
    "one retrieval against none": _one_retrieval,
    "a strategy against two fixed ones": _ten_prices,
}


def told_at_prices(
    gains: Floats, prices: Sequence[float], is_whole: bool = False
) -> Mapping[float, SequentialDifference]:
    """What retrieving once against not at all tells at each price, a shard at a time.

    Looking ends once all prices are told, unless ``is_whole``.
    """
    told = {price: SequentialDifference(Range(-1.0 - price, 1.0)) for price in prices}
    for block in _blocks(gains):
        if not is_whole and all(own.sign is not Sign.OPEN for own in told.values()):
            break
        for price, own in told.items():
            own.add(block - price)
    return told


def _blocks(values: Floats) -> Iterator[Floats]:
    for start in range(0, len(values), SHARD):
        yield values[start : start + SHARD]


def savings(pairs: Pairs, n_orders: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Where all questions tell a sign: is the same told in random orders, and after how many?"""
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(pairs.benefit) for _ in range(n_orders)]
    told = [told_at_prices(own, PRICES, is_whole=True) for own in orders]
    for price in PRICES:
        whole = mean_estimate(pairs.benefit - price)
        uniform = betting_interval(pairs.benefit - price, -1.0 - price, 1.0, LEVEL)
        signs = [own[price].sign for own in told]
        asked = [own[price].n_needed or len(pairs.benefit) for own in told]
        yield {
            "set": pairs.name,
            "c_r": price,
            "difference": f"{whole.mean:+.3f} [{whole.low:+.3f}, {whole.high:+.3f}]",
            "all tell": _sign(whole).value,
            "all tell, at any look": _sign(uniform).value,
            "same": float(np.mean([own is _sign(whole) for own in signs])),
            "opposite": float(np.mean([own is _opposite(_sign(whole)) for own in signs])),
            "share asked": float(np.mean(asked)) / len(pairs.benefit),
        }


def _sign(estimate: Estimate | Interval) -> Sign:
    if estimate.low > 0.0:
        return Sign.ABOVE
    return Sign.BELOW if estimate.high < 0.0 else Sign.OPEN


def _opposite(sign: Sign) -> Sign | None:
    return {Sign.ABOVE: Sign.BELOW, Sign.BELOW: Sign.ABOVE}.get(sign)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", nargs="*", type=Path)
    parser.add_argument("--scorer", default="auto")
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--orders", type=int, default=100)
    given = parser.parse_args()
    if not given.outcomes:
        report("sequential_errors", false_signs(given.sweeps, given.questions))
        return
    sets = [read_pairs(path, given.scorer) for path in given.outcomes]
    rows = [row for own in (*sets, pooled(sets)) for row in savings(own, given.orders)]
    decided = [row for row in rows if row["all tell"] != Sign.OPEN.value]
    uniform = [row for row in rows if row["all tell, at any look"] != Sign.OPEN.value]
    report(
        "sequential_savings",
        rows,
        told_by_all=len(decided),
        same_where_all_tell=float(np.mean([row["same"] for row in decided])),
        share_asked_where_all_tell=float(np.mean([row["share asked"] for row in decided])),
        told_by_all_at_any_look=len(uniform),
        same_where_all_tell_at_any_look=float(np.mean([row["same"] for row in uniform])),
        share_asked_where_all_tell_at_any_look=float(
            np.mean([row["share asked"] for row in uniform])
        ),
    )


if __name__ == "__main__":
    main()
