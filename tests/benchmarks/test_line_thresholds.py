from __future__ import annotations

import math
import random

import pytest

from argo_ml.policies.gates.grades import Grades
from benchmarks.line_thresholds import GRADED, best_grades, graded_trials


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("price", [0.05, 0.3])
def test_thresholds_are_the_best_of_all_pairs(seed: int, price: float) -> None:
    draws = random.Random(seed)
    columns = [[draws.random() < share for _ in range(20)] for share in (0.3, 0.5, 0.6)]
    scores = [draws.randrange(5) / 8 for _ in range(20)]

    def utility(grades: Grades) -> float:
        rows = zip(scores, *columns, strict=True)
        return math.fsum(
            none if score < grades.few else (five if score >= grades.full else one) - price
            for score, none, one, five in rows
        )

    cuts = [-math.inf, *sorted(set(scores)), math.inf]
    pairs = [Grades(few, full) for few in cuts for full in cuts if few <= full]
    best = best_grades(scores, *columns, price)
    assert utility(best) == pytest.approx(max(map(utility, pairs)))


def test_lines_lose_less_than_the_thresholds_that_paid_best() -> None:
    best, line = graded_trials(GRADED["passages help all alike"], n=100, n_draws=20)

    assert line.mean() > best.mean()
