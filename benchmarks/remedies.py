"""Why following the plan of a set's calibration loses, and what does better, on recorded answers.

Each of many random splits of the recorded calibration questions learns from 300 of every set and
judges on its other 200; no question that is tested on is read. Gains are over two plans, never or
once: the one that was better for the set on the questions learned from, which is what one who knows
as much would do, and the one that turns out better for the set on the questions judged, which
nobody knows before. Interleaved retrieval is a third plan where files have it; how often it
retrieves is not recorded of these questions, so that it is assumed.

    python -m benchmarks.remedies nq.jsonl squad.jsonl trivia.jsonl musique.jsonl --scorer contains
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from argo_ml.calibration.plans import MULTI, NONE
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.statistics.shrinkage import shrunk_means
from benchmarks.learners import LEARNERS, STEPS, Questions, folds
from benchmarks.pooling import FOREST, Places, Pool
from benchmarks.recorded_sets import Floats, embedding_arguments, read_calibration
from benchmarks.reporting import report

N_LEARNED = 300
PRIOR = 100
"""Questions that what is known of the other sets counts as, where it is mixed in."""


@dataclass(frozen=True)
class Sets:
    """All sets as one, and what interleaved retrieval changes where it is recorded."""

    pool: Pool
    interleaved: Floats | None

    @classmethod
    def of(cls, read: Sequence[Sequence[RecordedQuestion]], model: str) -> Sets:
        questions = [own for part in read for own in part]
        is_recorded = all(MULTI in own.outcomes for own in questions)
        changes = [
            float(own.outcomes[MULTI].correct) - float(own.outcomes[NONE].correct)
            for own in questions
            if is_recorded
        ]
        pool = Pool([Questions(part, model) for part in read])
        return cls(pool, np.array(changes) if is_recorded else None)


@dataclass(frozen=True)
class Predicted:
    """Changes predicted of the questions learned from, by models that have not seen them, and of
    the new ones."""

    left_out: Floats
    new: Floats


@dataclass(frozen=True)
class Split:
    sets: Sets
    train: Places
    new: Places

    @property
    def numbers(self) -> Places:
        return np.unique(self.sets.pool.sets)

    def change(self, places: Places) -> Floats:
        return self.sets.pool.change[places]

    def values(self, retrieves: Any, places: Places) -> Floats:
        """Utility over never retrieving, by question and price."""
        own: Floats = retrieves * (self.change(places)[:, None] - STEPS)
        return own

    def of_set(self, number: int, places: Places) -> Places:
        """Where the questions of the set stand in ``places``."""
        return np.flatnonzero(self.sets.pool.sets[places] == number)

    def by_set(self, estimates: Floats, places: Places) -> Floats:
        """Whether the plan retrieves, by question and price, of a benefit estimated by set."""
        retrieves = estimates[self.sets.pool.sets[places]][:, None] > STEPS
        return retrieves.astype(np.float64)

    @cached_property
    def means(self) -> Floats:
        return self._means(self.train)

    @cached_property
    def turned_out(self) -> Floats:
        """The benefits of the sets on the questions judged."""
        return self._means(self.new)

    def _means(self, places: Places) -> Floats:
        parts = [self.change(places[self.of_set(number, places)]) for number in self.numbers]
        return np.array([own.mean() for own in parts])

    @cached_property
    def errors(self) -> Floats:
        parts = [self.change(self.train[self.of_set(at, self.train)]) for at in self.numbers]
        return np.array([own.std(ddof=1) / len(own) ** 0.5 for own in parts])

    @cached_property
    def alone(self) -> Predicted:
        """By trees of each set."""
        left_out, new = np.zeros(len(self.train)), np.zeros(len(self.new))
        for number in self.numbers:
            places, others = (self.of_set(number, own) for own in (self.train, self.new))
            own = self._predicted(False, self.train[places], self.new[others])
            left_out[places], new[others] = own.left_out, own.new
        return Predicted(left_out, new)

    @cached_property
    def together(self) -> Predicted:
        """By trees of all sets, which know the set of a question."""
        return self._predicted(True, self.train, self.new)

    def _predicted(self, knows_set: bool, train: Places, new: Places) -> Predicted:
        learned = partial(self.sets.pool.learned, LEARNERS[FOREST], knows_set)
        left_out = np.zeros(len(train))
        for first, others in folds(len(train), 7):
            left_out[others] = learned(train[first], train[others])
        return Predicted(left_out, learned(train, new))


Estimates = Callable[[Split], Floats]
"""The benefit of a retrieval by set, as a plan goes by it."""


def of_set(split: Split) -> Floats:
    return split.means


def of_all(split: Split) -> Floats:
    return np.full(len(split.numbers), float(split.change(split.train).mean()))


def shrunk(split: Split) -> Floats:
    """The mean of the set, shrunk towards that of all by its variance."""
    mean = of_all(split)
    groups = split.sets.pool.sets[split.train]
    made: Floats = mean + shrunk_means(groups, split.change(split.train) - mean[0])
    return made


def mixed(split: Split) -> Floats:
    """The mean of the set with that of the other sets, which counts as `PRIOR` questions."""
    counts = np.bincount(split.sets.pool.sets[split.train])
    sums = split.means * counts
    others = (sums.sum() - sums) / (counts.sum() - counts)
    made: Floats = (sums + PRIOR * others) / (counts + PRIOR)
    return made


def followed(estimates: Estimates, split: Split) -> Floats:
    return split.values(split.by_set(estimates(split), split.new), split.new)


def beyond_error(split: Split) -> Floats:
    """The plan of all, unless the set's benefit lies on the price's other side by one error."""
    own, every = split.means[:, None], of_all(split)[:, None]
    is_sure = np.abs(own - STEPS) > split.errors[:, None]
    plans = np.where(is_sure, own > STEPS, every > STEPS) * 1.0
    return split.values(plans[split.sets.pool.sets[split.new]], split.new)


def interleaved(n_retrievals: int, split: Split) -> Floats:
    """The best of never, once and interleaved retrieval for the set, by the questions learned
    from; interleaved retrieval is assumed to retrieve so often."""
    change = split.sets.interleaved
    assert change is not None
    own, new = split.means[:, None] - STEPS, split.values(1.0, split.new)
    parts = [change[split.train[split.of_set(at, split.train)]].mean() for at in split.numbers]
    many = np.array(parts)[:, None] - n_retrievals * STEPS
    best = np.argmax([np.zeros_like(own), own, many], axis=0)[split.sets.pool.sets[split.new]]
    after_many = change[split.new][:, None] - n_retrievals * STEPS
    made: Floats = np.choose(best, [np.zeros_like(new), new, after_many])
    return made


def learned(estimates: Estimates, n_errors: float, knows_set: bool, split: Split) -> Floats:
    """By the question where that gained over the plan, on questions left out of learning, by so
    many errors: of each set, or with ``knows_set`` of all. Else the plan."""
    own = split.together if knows_set else split.alone
    plans = [split.by_set(estimates(split), places) for places in (split.train, split.new)]
    acts = [(predicted[:, None] > STEPS) * 1.0 for predicted in (own.left_out, own.new)]
    gained = split.values(acts[0] - plans[0], split.train)
    made = split.values(plans[1], split.new)
    parts = [(split.of_set(at, split.train), split.of_set(at, split.new)) for at in split.numbers]
    if knows_set:
        parts = [(np.arange(len(split.train)), np.arange(len(split.new)))]
    for train, new in parts:
        inner = gained[train]
        pays = inner.sum(axis=0) > n_errors * inner.std(axis=0) * len(train) ** 0.5 + 1e-9
        made[new] = np.where(pays, split.values(acts[1], split.new)[new], made[new])
    return made


Way = Callable[[Split], Floats]
PLANS: Mapping[str, Way] = {
    "plan of the set": partial(followed, of_set),
    "plan of all sets": partial(followed, of_all),
    "plan of the set, shrunk towards all": partial(followed, shrunk),
    f"plan of the set, the others count as {PRIOR} questions": partial(followed, mixed),
    "plan of all, of the set beyond one standard error": beyond_error,
}
BY_QUESTION: Mapping[str, Way] = {
    "trees of the set by one error, else its plan": partial(learned, of_set, 1.0, False),
    "the same by two errors": partial(learned, of_set, 2.0, False),
    "the same by one error, else the plan shrunk": partial(learned, shrunk, 1.0, False),
    "trees of all that know the set, by one error": partial(learned, of_set, 1.0, True),
    "the same, else the plan shrunk": partial(learned, shrunk, 1.0, True),
}


def ways(sets: Sets) -> dict[str, Way]:
    own = {**PLANS, **BY_QUESTION}
    if sets.interleaved is not None:
        own |= {
            f"the best of three plans, interleaved retrieving {n} times": partial(interleaved, n)
            for n in (1, 2, 3)
        }
    return own


def splits(sets: Sets, n_learned: int, n_repeats: int) -> Iterator[Split]:
    generator = np.random.default_rng(0)
    numbers = np.unique(sets.pool.sets)
    for _ in range(n_repeats):
        orders = [generator.permutation(np.flatnonzero(sets.pool.sets == at)) for at in numbers]
        train, new = (
            np.sort(np.concatenate([own[part] for own in orders]))
            for part in (slice(n_learned), slice(n_learned, None))
        )
        yield Split(sets, train, new)


@dataclass
class Tally:
    """Gains of a way over a plan, summed over splits, by question and price."""

    sums: Floats
    counts: Floats

    @classmethod
    def empty(cls, n: int) -> Tally:
        return cls(np.zeros((n, len(STEPS))), np.zeros(n))

    def add(self, split: Split, gains: Floats) -> None:
        self.sums[split.new] += gains
        self.counts[split.new] += 1

    def rows(self, pool: Pool) -> tuple[Floats, Places]:
        """Mean gains by question and price, and their numbers of sets."""
        is_judged = self.counts > 0
        return self.sums[is_judged] / self.counts[is_judged][:, None], pool.sets[is_judged]


OVER = ("the plan learned", "the plan that turns out better")


def judged(sets: Sets, n_learned: int, n_repeats: int) -> list[dict[str, Any]]:
    every = ways(sets)
    tallies = {(name, over): Tally.empty(len(sets.pool.change)) for name in every for over in OVER}
    for split in splits(sets, n_learned, n_repeats):
        plans = {
            OVER[0]: followed(of_set, split),
            OVER[1]: split.values(split.by_set(split.turned_out, split.new), split.new),
        }
        for name, way in every.items():
            made = way(split)
            for over, plan in plans.items():
                tallies[name, over].add(split, made - plan)
    return [_row(name, sets.pool, {over: tallies[name, over] for over in OVER}) for name in every]


def _row(name: str, pool: Pool, tallies: Mapping[str, Tally]) -> dict[str, Any]:
    made: dict[str, Any] = {"way": name}
    for over, tally in tallies.items():
        gains, numbers = tally.rows(pool)
        means = gains.mean(axis=1)
        by_set = [gains[numbers == at].mean(axis=0) for at in np.unique(numbers)]
        made |= {
            f"over {over}": 100 * float(means.mean()),
            "its error" if over == OVER[0] else "error of this": 100
            * float(means.std(ddof=1) / len(means) ** 0.5),
            f"by set, over {over}": [round(100 * float(own.mean()), 2) for own in by_set],
            f"least at a price of a set, over {over}": 100
            * min(float(own.min()) for own in by_set),
        }
    return made


def causes(
    sets: Sets, names: Sequence[str], n_learned: int, n_repeats: int
) -> list[dict[str, Any]]:
    """By set and price how near the benefit is to the price, how often the plan learned is not the
    one that turns out better, and what following it loses to that one."""
    every = list(splits(sets, n_learned, n_repeats))
    own = np.array([split.means for split in every])[:, :, None]
    turned_out = np.array([split.turned_out for split in every])[:, :, None]
    is_wrong = (own > STEPS) != (turned_out > STEPS)
    lost = (is_wrong * np.abs(turned_out - STEPS)).mean(axis=0)
    made = []
    for at, name in enumerate(names):
        change = sets.pool.change[sets.pool.sets == at]
        for number, price in enumerate(STEPS):
            made.append(
                {
                    "set": name,
                    "price": float(price),
                    "benefit": 100 * float(change.mean()),
                    "its error": 100 * float(change.std(ddof=1) / len(change) ** 0.5),
                    "wrong plan": float(is_wrong[:, at, number].mean()),
                    "lost": 100 * float(lost[at, number]),
                }
            )
    return made


def main() -> None:
    parser = embedding_arguments(__doc__)
    parser.add_argument("--learned", type=int, default=N_LEARNED, help="questions of each set")
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    read = [read_calibration(path, given.scorer) for path in given.outcomes]
    sets = Sets.of(read, given.embedding_model)
    names = [path.stem for path in given.outcomes]
    report("remedies_causes", causes(sets, names, given.learned, 50 * given.repeats))
    report("remedies", judged(sets, given.learned, given.repeats))


if __name__ == "__main__":
    main()
