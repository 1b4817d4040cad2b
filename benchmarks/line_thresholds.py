"""Should `graded` and `tasr` take their thresholds from a line, too, as gates do?

In made-up worlds whose chances are known, samples choose thresholds: those that paid best on the
sample, as `tasr` takes them, and those where a straight line through scores and changes meets the
price, as `graded` does. Either is judged by its true utility on other questions, minus that of the
best fixed plan of the world. The recorded sets have neither answers by one passage and five nor
margins.

    python -m benchmarks.line_thresholds
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.calibration.fitted_models import interpolated
from argo_ml.policies.gates.grades import Grades, Trials, grades_by_line
from argo_ml.policies.gates.tasr import Round, best_threshold, fit_points, stop_at
from argo_ml.statistics.frontiers import threshold_by_line
from benchmarks.recorded_sets import PRICES
from benchmarks.reporting import report

Floats = NDArray[np.float64]
N_JUDGED = 2_000
NOISE = 0.1
"""Standard deviation of p-hat from the chance that the answer is right."""


@dataclass(frozen=True)
class Graded:
    """Chances of a right answer with one passage and with five, by that without any."""

    one: Callable[[Floats], Floats]
    five: Callable[[Floats], Floats]


GRADED: Mapping[str, Graded] = {
    "passages help the unsure": Graded(lambda p: 0.55 + 0.3 * p, lambda p: 0.62 + 0.25 * p),
    "five distract the sure": Graded(lambda p: 0.5 + 0.4 * p, lambda p: 0.7 + 0.1 * p),
    "passages help all alike": Graded(lambda p: 0.1 + 0.9 * p, lambda p: 0.12 + 0.88 * p),
    "passages help below a half alone": Graded(
        lambda p: np.where(p < 0.5, p + 0.3, p), lambda p: np.where(p < 0.5, p + 0.4, p - 0.05)
    ),
    "passages help the half sure": Graded(
        lambda p: p + 1.2 * p * (1 - p), lambda p: p + 1.2 * p * (1 - p) + 0.1 * (0.5 - p)
    ),
}
"""Of the first three the benefit is a straight line of the chance, of the others it is not."""


def best_grades(scores: Any, none: Any, one: Any, five: Any, price: float) -> Grades:
    """The pair that paid best on these questions; of equals the one that reads fewest passages."""
    trials = Trials.of(scores, one, five)
    tried = map(trials.within, (math.inf, *trials.scores[:-1], -math.inf))
    column, ways = np.array(scores), np.array([none, one, five], dtype=float)

    def utility(grades: Grades) -> float:
        reads_any, reads_five = column >= grades.few, column >= grades.full
        read = np.where(reads_five, ways[2], ways[1]) - price
        return round(float(np.where(reads_any, read, ways[0]).mean()), 9)

    return max(tried, key=utility)


def graded_utility(
    world: Graded, grades: Grades, chances: Floats, scores: Floats, price: float
) -> Any:
    reads_any, reads_five = scores >= grades.few, scores >= grades.full
    right = np.where(reads_five, world.five(chances), world.one(chances)) - price
    return np.where(reads_any, right, chances).mean()


def graded_trials(world: Graded, n: int, n_draws: int) -> tuple[Floats, Floats]:
    """Gains over the best plan by draw and price: of the thresholds that paid best, by lines."""
    generator = np.random.default_rng(0)
    judged, judged_scores = _drawn(generator, 20_000)
    chances_of = (judged, world.one(judged), world.five(judged))
    made = np.zeros((2, n_draws, len(PRICES)))
    for draw in range(n_draws):
        chances, scores = _drawn(generator, n)
        every = (chances, world.one(chances), world.five(chances))
        none, one, five = ((generator.random(n) < own).tolist() for own in every)
        for at, price in enumerate(PRICES):
            best = max(own.mean() - price * (number > 0) for number, own in enumerate(chances_of))
            rules = (
                best_grades(scores.tolist(), none, one, five, price),
                grades_by_line(scores.tolist(), none, one, five, price),
            )
            for rule, grades in enumerate(rules):
                own = graded_utility(world, grades, judged, judged_scores, price)
                made[rule, draw, at] = own - best
    return made[0], made[1]


def _drawn(generator: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    chances = generator.beta(2.0, 2.0, n)
    return chances, 1.0 - np.clip(chances + generator.normal(0.0, NOISE, n), 0.0, 1.0)


@dataclass(frozen=True)
class Tasr:
    """How able a question's answer is after every retrieval: what each adds, and how much that
    scatters; ``shows`` is how well the margin shows it."""

    adds: tuple[float, ...]
    scatter: float
    shows: float


TASR: Mapping[str, Tasr] = {
    "retrievals help, margins tell": Tasr((0.8, 0.5, 0.3), 0.8, 1.0),
    "retrievals help, margins tell little": Tasr((0.8, 0.5, 0.3), 0.8, 3.0),
    "the first helps alone": Tasr((0.8, 0.0, 0.0), 0.5, 1.0),
}
Drawn = tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]


def paths(world: Tasr, generator: np.random.Generator, n: int) -> Drawn:
    """Margins, agreement with the answer before, and right answers, by question and retrieval."""
    able = [generator.normal(0.0, 1.0, n)]
    for adds in world.adds:
        able.append(able[-1] + generator.normal(adds, world.scatter, n))
    ability = np.column_stack(able)
    right = generator.random(ability.shape) < 1 / (1 + np.exp(-1.5 * ability))
    margins = 1 / (1 + np.exp(-ability - generator.normal(0.0, world.shows, ability.shape)))
    agrees = np.zeros(right.shape, dtype=bool)
    stays = np.where(right[:, 1:] & right[:, :-1], 0.9, 0.4)
    agrees[:, 1:] = (right[:, 1:] == right[:, :-1]) & (generator.random(stays.shape) < stays)
    return margins, agrees, right


def tasr_by_line(rounds: Sequence[Sequence[Round]], price: float) -> float:
    """The calibrated margin above which the next retrieval changes less than it costs."""
    pairs = [(own, after) for path in rounds for own, after in pairwise(path) if own.agrees]
    scores = [-own.value for own, _ in pairs]
    before, after = [own.correct for own, _ in pairs], [own.correct for _, own in pairs]
    return -threshold_by_line(scores, before, after, price)


def tasr_trials(world: Tasr, n: int, n_draws: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(0)
    judged = paths(world, generator, N_JUDGED)
    made = np.zeros((2, n_draws, len(PRICES)))
    horizon = len(world.adds)
    for draw in range(n_draws):
        own = paths(world, generator, n)
        points = fit_points(own[0].ravel().tolist(), own[2].ravel().tolist())
        rounds, others = (_rounds(one, points) for one in (own, judged))
        for at, price in enumerate(PRICES):
            best = max(judged[2].mean(axis=0) - price * np.arange(horizon + 1))
            rules = (best_threshold(rounds, horizon, price), tasr_by_line(rounds, price))
            for rule, threshold in enumerate(rules):
                stops = [stop_at(path, threshold, horizon) for path in others]
                worth = [path[k].correct - price * k for path, k in zip(others, stops, strict=True)]
                made[rule, draw, at] = np.mean(worth) - best
    return made[0], made[1]


def _rounds(own: Drawn, points: Any) -> list[list[Round]]:
    return [
        [
            Round(bool(agrees), interpolated(points, float(margin)), bool(right))
            for margin, agrees, right in zip(*path, strict=True)
        ]
        for path in zip(*own, strict=True)
    ]


def row(policy: str, world: str, n: int, made: tuple[Floats, Floats]) -> dict[str, Any]:
    best, line = made
    beside = 100 * (line - best).mean(axis=1)
    return {
        "policy": policy,
        "world": world,
        "questions": n,
        "that paid best": 100 * float(best.mean()),
        "by a line": 100 * float(line.mean()),
        "line - best": float(beside.mean()),
        "its error": float(beside.std(ddof=1) / len(beside) ** 0.5),
        "least at a price, best": 100 * float(best.mean(axis=0).min()),
        "least at a price, line": 100 * float(line.mean(axis=0).min()),
    }


def rows(sizes: Sequence[int], n_draws: int) -> Iterator[dict[str, Any]]:
    for n in sizes:
        for name, graded in GRADED.items():
            yield row("graded", name, n, graded_trials(graded, n, n_draws))
        for name, tasr in TASR.items():
            yield row("tasr", name, n, tasr_trials(tasr, n, max(n_draws // 5, 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    given = parser.parse_args()
    report("line_thresholds", list(rows((100, 300), given.draws)))


if __name__ == "__main__":
    main()
