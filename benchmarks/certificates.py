"""Certificates of thresholds: how often they are broken, and how much slack they leave.

Samples of a made-up world whose true rates are known choose a threshold, by the exact test and by
Hoeffding's bound.

    python -m benchmarks.certificates
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.statistics.certificates import Answering, answering_threshold, retrieval_threshold
from argo_ml.statistics.frontiers import conservative_budget, threshold_for_budget
from benchmarks.reporting import report

DELTA = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Certified:
    """What a promise came to on one split: the true rate, and the share that is used of it."""

    rate: float
    used: float


def promised_retrievals(
    generator: np.random.Generator, n: int, level: float, is_exact: bool
) -> Certified:
    """Scores are uniform, so that the true share of retrievals at a threshold is 1 minus it."""
    scores = generator.random(n).tolist()
    if is_exact:
        threshold = retrieval_threshold(scores, level, DELTA)
    else:
        threshold = threshold_for_budget(scores, conservative_budget(level, n, DELTA))
    share = float(np.clip(1.0 - threshold, 0.0, 1.0)) if math.isfinite(threshold) else 0.0
    return Certified(share, share)


def promised_errors(
    generator: np.random.Generator, n: int, level: float, is_exact: bool
) -> Certified:
    """A perfect confidence, uniform between 0.3 and 1: from c on (1 - c) / 2 are wrong."""
    confidences = generator.uniform(0.3, 1.0, n)
    correct = generator.random(n) < confidences
    if is_exact:
        own = answering_threshold(confidences.tolist(), correct.tolist(), level, DELTA)
        threshold = own.threshold if isinstance(own, Answering) else math.inf
    else:
        threshold = _by_hoeffding(confidences, correct, level)
    if not math.isfinite(threshold):
        return Certified(0.0, 0.0)
    least = max(threshold, 0.3)
    return Certified((1.0 - least) / 2, (1.0 - least) / 0.7)


def _by_hoeffding(confidences: Floats, correct: NDArray[np.bool_], level: float) -> float:
    """The same sequence with Hoeffding's bound on the error among answered."""
    passed = math.inf
    for threshold in np.arange(100, -1, -1) / 100:
        given = confidences >= threshold
        if given.sum() < math.log(1 / DELTA) / (2 * level**2):
            continue
        bound = (~correct[given]).mean() + math.sqrt(math.log(1 / DELTA) / (2 * given.sum()))
        if bound > level:
            break
        passed = float(threshold)
    return passed


PROMISES: Mapping[str, Callable[[np.random.Generator, int, float, bool], Certified]] = {
    "share of retrievals": promised_retrievals,
    "error among answered": promised_errors,
}


def simulated(n_splits: int, n: int, level: float) -> Iterator[dict[str, Any]]:
    for promise, certify in PROMISES.items():
        for bound in ("exact", "Hoeffding"):
            generator = np.random.default_rng(0)
            draw = partial(certify, generator, n, level, bound == "exact")
            splits = [draw() for _ in range(n_splits)]
            rates = np.array([own.rate for own in splits])
            yield {
                "promise": f"{promise} <= {level:g}",
                "bound": bound,
                "n": n,
                "splits": n_splits,
                "broken": float((rates > level).mean()),
                "true rate": float(rates.mean()),
                "used": float(np.mean([own.used for own in splits])),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=1000)
    given = parser.parse_args()
    rows = [
        row
        for n in (100, 300, 1000)
        for level in (0.2, 0.3)
        for row in simulated(given.splits, n, level)
    ]
    report("certificates", rows)


if __name__ == "__main__":
    main()
