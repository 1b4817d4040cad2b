"""How many more questions: is the number that a few name the number that it takes?

Samples of recorded calibration questions name how many would settle retrieving once against not at
all, as the evaluation of so many test questions does: by their own difference and spread.
Of so many, drawn with replacement from all, how often is it settled, by its sign or as smaller than
0.01? At 80 % power it should be four times in five where the number is named from all questions. As
many of the calibration choose between the plans: how often the right one, and how often by a
standard error, as deciding by the question has to pay? Beside it the number that is named where the
difference is known, and only its spread is taken from the sample.

    python -m benchmarks.further_questions nq.jsonl squad.jsonl --scorer contains
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.statistics.power import pairs_needed, pairs_to_settle
from argo_ml.statistics.sequential import MARGIN
from benchmarks.recorded_pairs import Pairs, pooled, read_pairs
from benchmarks.recorded_sets import PRICES
from benchmarks.reporting import report

Z = 1.959964
ROUNDING = 1e-9
MOST = 20_000
"""Questions drawn at the most."""
Floats = NDArray[np.float64]


def named_and_needed(pairs: Pairs, n_sample: int, n_draws: int) -> Iterator[dict[str, Any]]:
    """A row per price whose difference is not 0 on all questions."""
    generator = np.random.default_rng(0)
    for price in PRICES:
        differences = pairs.benefit - price
        mean = float(differences.mean())
        needed = pairs_needed(list(differences), abs(mean)) if abs(mean) > ROUNDING else None
        if needed is None:
            continue
        # The difference is what would be told; only its spread is taken from the sample.
        named = [
            pairs_needed(list(generator.choice(differences, n_sample, replace=False)), abs(mean))
            for _ in range(n_draws)
        ]
        n_drawn = min(needed, MOST)
        told = [_is_told(generator.choice(differences, n_drawn), mean) for _ in range(n_draws)]
        yield {
            "set": pairs.name,
            "c_r": price,
            "difference": mean,
            "needed": needed,
            f"named by {n_sample}": _quantiles([own for own in named if own is not None]),
            "told by as many": float(np.mean(told)) if n_drawn == needed else None,
        }


def shown_and_settled(pairs: Pairs, n_sample: int, n_draws: int) -> Iterator[dict[str, Any]]:
    """What users of so many questions are shown, and what asking as many comes to."""
    generator = np.random.default_rng(0)
    for price in PRICES:
        differences = pairs.benefit - price
        needed = pairs_to_settle(list(differences), MARGIN)
        if needed is None:
            continue
        samples = [generator.choice(differences, n_sample, replace=False) for _ in range(n_draws)]
        named = [pairs_to_settle(list(own), MARGIN) for own in samples]
        shown = [own for own in named if own is not None]
        asked = [generator.choice(differences, min(own, MOST)) for own in shown]
        mean = float(differences.mean())
        all_named = [
            generator.choice(differences, min(needed, MOST)) for _ in range(min(n_draws, 200))
        ]
        yield {
            "set": pairs.name,
            "c_r": price,
            "difference": mean,
            "to settle": needed,
            f"shown by {n_sample}": _quantiles(shown),
            "less than half": float(np.mean([own < needed / 2 for own in shown])),
            "more than twice": float(np.mean([own > 2 * needed for own in shown])),
            "settled by as many as shown": float(np.mean(list(map(_is_settled, asked)))),
            "by as many as all name": float(np.mean(list(map(_is_settled, all_named)))),
            "calibrated on as many: right plan": float(
                np.mean([np.sign(own.mean()) == np.sign(mean) for own in asked])
            ),
            "by one error": float(np.mean([_is_beyond(own, mean, 1.0) for own in asked])),
        }


def _quantiles(numbers: Sequence[int]) -> str:
    low, middle, high = np.quantile(numbers, (0.1, 0.5, 0.9))
    return f"{middle:,.0f} [{low:,.0f}, {high:,.0f}]"


def _is_told(sample: Floats, mean: float) -> bool:
    return _is_beyond(sample, mean, Z)


def _is_beyond(sample: Floats, mean: float, n_errors: float) -> bool:
    return bool(sample.mean() * np.sign(mean) > n_errors * _error(sample))


def _is_settled(sample: Floats) -> bool:
    """By its sign, or as nearer to 0 than the margin."""
    size, reach = abs(float(sample.mean())), Z * _error(sample)
    return size > reach or size + reach < MARGIN


def _error(sample: Floats) -> float:
    return float(sample.std(ddof=1) / len(sample) ** 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", nargs="+", type=Path)
    parser.add_argument("--scorer", default="auto")
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--draws", type=int, default=500)
    given = parser.parse_args()
    sets = [read_pairs(path, given.scorer) for path in given.outcomes]
    every = (*sets, pooled(sets))
    for name, made in (
        ("further_questions", named_and_needed),
        ("further_questions_shown", shown_and_settled),
    ):
        report(name, [row for own in every for row in made(own, given.sample, given.draws)])


if __name__ == "__main__":
    main()
