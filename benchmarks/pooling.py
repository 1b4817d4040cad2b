"""Does it help to learn from several sets of questions at once, and to know which one each is of?

Cross-validation over the questions of recorded calibration files alone, each converted as
docs/replay.md shows: no question that is tested on is read. All ways are judged on the same folds,
each of a fifth of every set. Gains are over two plans, never or once: the one that was better on
all questions learned from, and the one of each set that was better on those of the set.

    python -m benchmarks.pooling nq.jsonl squad.jsonl trivia.jsonl musique.jsonl --scorer contains
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from argo_ml.statistics.shrinkage import shrunk_means
from benchmarks.learners import GROUPS, LEARNERS, STEPS, Learner, Questions, folds
from benchmarks.recorded_sets import Floats, embedding_arguments, read_calibration
from benchmarks.reporting import report

FOREST = "forest, 25 in a leaf"
Places = NDArray[np.int64]
Predict = Callable[[Places, Places], Floats]
"""Predicted changes of the questions at the second places, learned from those at the first."""


class Pool:
    """All sets as one: features, what a retrieval changed, and the number of each one's set."""

    def __init__(self, sets: Sequence[Questions]) -> None:
        self.change = np.concatenate([own.change for own in sets])
        rows = [np.hstack([own.groups[name] for name in GROUPS]) for own in sets]
        self.features = np.vstack(rows)
        self.sets = np.repeat(np.arange(len(sets)), [len(own.change) for own in sets])
        self.indicators = np.eye(len(sets))[self.sets]

    def folds(self, seed: int) -> Iterator[tuple[Places, Places]]:
        """Places learned from and left out, each fold a fifth of every set."""
        own = [np.flatnonzero(self.sets == at) for at in np.unique(self.sets)]
        for parts in zip(*(folds(len(places), seed) for places in own), strict=True):
            pairs = list(zip(own, parts, strict=True))
            train, held_out = (
                np.concatenate([places[part[side]] for places, part in pairs]) for side in (0, 1)
            )
            yield train, held_out

    def learned(self, learner: Learner, knows_set: bool, train: Places, new: Places) -> Floats:
        columns = [self.features, self.indicators] if knows_set else [self.features]
        rows = np.hstack(columns)
        scaled = StandardScaler().fit(rows[train]).transform(rows)
        return learner(scaled[train], self.change[train], scaled[new])

    def beyond_mean(self, learner: Learner, train: Places, new: Places) -> Floats:
        """The shrunk mean of the set, and what is learned of the difference from it."""
        rows = np.hstack([self.features, self.indicators])
        scaled = StandardScaler().fit(rows[train]).transform(rows)
        residuals = self.change[train] - self.shrunk(train, train)
        made: Floats = self.shrunk(train, new) + learner(scaled[train], residuals, scaled[new])
        return made

    def alone(self, predict: Predict, train: Places, new: Places) -> Floats:
        """Every set by what was learned from its own questions."""
        made = np.zeros(len(new))
        for at in np.unique(self.sets):
            places = train[self.sets[train] == at]
            made[self.sets[new] == at] = predict(places, new[self.sets[new] == at])
        return made

    def shrunk(self, train: Places, new: Places) -> Floats:
        """The mean of the set, shrunk towards that of all."""
        mean = self.change[train].mean()
        own: Floats = mean + shrunk_means(self.sets[train], self.change[train] - mean)
        return own[self.sets[new]]

    def mean(self, train: Places, new: Places) -> Floats:
        return np.full(len(new), self.change[train].mean())


def ways(pool: Pool) -> Iterator[tuple[str, str, Predict]]:
    yield "plan", "each set alone", partial(pool.alone, pool.mean)
    yield "plan", "all sets, the set known", pool.shrunk
    for name in ("ridge", FOREST):
        without, known = (partial(pool.learned, LEARNERS[name], knows) for knows in (False, True))
        yield name, "each set alone", partial(pool.alone, without)
        yield name, "all sets", without
        yield name, "all sets, the set known", known
    yield FOREST, "all sets, beyond the mean of each", partial(pool.beyond_mean, LEARNERS[FOREST])
    alone = partial(pool.alone, partial(pool.learned, LEARNERS[FOREST], False))
    both = (alone, partial(pool.learned, LEARNERS[FOREST], True))
    yield FOREST, "the mean of each set alone and all", partial(_mean, both)


def _mean(ways: Sequence[Predict], train: Places, new: Places) -> Floats:
    made: Floats = np.mean([way(train, new) for way in ways], axis=0)
    return made


def trial(pool: Pool, predict: Predict, plan: Predict, n: int, seed: int) -> Floats:
    """Gains over the plan by question and price; learned from ``n`` questions, 0 are all."""
    made = np.zeros((len(pool.change), len(STEPS)))
    generator = np.random.default_rng(seed)
    for others, held_out in pool.folds(seed):
        train = np.sort(generator.permutation(others)[: n or None])
        acts, planned = ((of(train, held_out)[:, None] > STEPS) * 1.0 for of in (predict, plan))
        made[held_out] = (acts - planned) * (pool.change[held_out][:, None] - STEPS)
    return made


def row(pool: Pool, name: str, learned_from: str, predict: Predict, n: int, n_seeds: int) -> Any:
    plans: Mapping[str, Predict] = {
        "of all": pool.mean,
        "of each set": partial(pool.alone, pool.mean),
    }
    made: dict[str, Any] = {"learner": name, "learned from": learned_from, "questions": n or "all"}
    for plan, own in plans.items():
        gains = np.mean([trial(pool, predict, own, n, seed) for seed in range(n_seeds)], axis=0)
        means = gains.mean(axis=1)
        by_set = [gains[pool.sets == at].mean(axis=0) for at in np.unique(pool.sets)]
        made |= {
            f"over the plan {plan}": 100 * float(means.mean()),
            f"error, {plan}": 100 * float(means.std(ddof=1) / len(means) ** 0.5),
            f"by set, {plan}": [round(100 * float(value.mean()), 2) for value in by_set],
            f"least at a price of a set, {plan}": 100 * min(float(own.min()) for own in by_set),
        }
    return made


def main() -> None:
    parser = embedding_arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    read = (read_calibration(path, given.scorer) for path in given.outcomes)
    pool = Pool([Questions(own, given.embedding_model) for own in read])
    table = [row(pool, *way, n, given.repeats) for n in (0, 300) for way in ways(pool)]
    report("pooling", table)


if __name__ == "__main__":
    main()
