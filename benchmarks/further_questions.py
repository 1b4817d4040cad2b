"""How many more questions: is the number that a few name the number that it takes?

Samples of recorded calibration questions name how many would tell the sign of retrieving once
against not at all. Of so many, drawn with replacement from all, how often does the test tell it? At
80 % power it should be four times in five where the number is named from all questions.

    python -m benchmarks.further_questions nq.jsonl squad.jsonl --scorer contains
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from argo_ml.statistics.power import pairs_needed
from benchmarks.recorded_pairs import Pairs, pooled, read_pairs
from benchmarks.recorded_sets import PRICES
from benchmarks.reporting import report

Z = 1.959964
ROUNDING = 1e-9


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
        low, middle, high = np.quantile([own for own in named if own is not None], (0.1, 0.5, 0.9))
        n_drawn = min(needed, 20_000)
        told = [_is_told(generator.choice(differences, n_drawn), mean) for _ in range(n_draws)]
        yield {
            "set": pairs.name,
            "c_r": price,
            "difference": mean,
            "needed": needed,
            f"named by {n_sample}": f"{middle:,.0f} [{low:,.0f}, {high:,.0f}]",
            "told by as many": float(np.mean(told)) if n_drawn == needed else None,
        }


def _is_told(sample: Any, mean: float) -> bool:
    error = float(sample.std(ddof=1)) / len(sample) ** 0.5
    return bool(sample.mean() * np.sign(mean) > Z * error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", nargs="+", type=Path)
    parser.add_argument("--scorer", default="auto")
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--draws", type=int, default=500)
    given = parser.parse_args()
    sets = [read_pairs(path, given.scorer) for path in given.outcomes]
    rows = [
        row
        for own in (*sets, pooled(sets))
        for row in named_and_needed(own, given.sample, given.draws)
    ]
    report("further_questions", rows)


if __name__ == "__main__":
    main()
