"""Does the best plan of a segment beat the best plan of all, on recorded calibration questions?

Segments are the set that a question is from and, in it, what its words ask for, clusters of the
questions' embeddings, and the leaves of a shallow tree. The mean benefit of retrieving in a segment
is shrunk towards that of the level above by its variance (empirical Bayes: between segments by the
method of moments), and a level is admitted where that raises the utility on questions left out.
Judged by five-fold cross-validation, repeated; no test question is read.

    python -m benchmarks.segments nq.jsonl squad.jsonl trivia.jsonl musique.jsonl --scorer contains
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeRegressor

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.calibration.text_features import QUESTION_KINDS
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.statistics import shrinkage
from benchmarks.policy_trials import embedded
from benchmarks.recorded_sets import (
    PRICES,
    Floats,
    embedding_arguments,
    of_question,
    read_calibration,
)
from benchmarks.reporting import report

N_PROJECTIONS = 16
N_CLUSTERS = 8
LEAF = 25
"""Questions of a leaf at the least."""
Labels = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Segmented:
    """The benefit of one retrieval, and the segment of each question at every level.

    ``projections`` are of the questions' embeddings and ``features`` of their words: levels are
    learned from these.
    """

    benefit: Floats
    levels: Mapping[str, Labels]
    projections: Floats | None = None
    features: Floats | None = None

    def part(self, rows: Any) -> Segmented:
        levels = {name: labels[rows] for name, labels in self.levels.items()}
        own = (None if one is None else one[rows] for one in (self.projections, self.features))
        return Segmented(self.benefit[rows], levels, *own)

    def labelled(self, new: Segmented, level: str) -> tuple[Labels, Labels]:
        """The segments at a level of its own questions and of new ones."""
        if level in self.levels:
            return self.levels[level], new.levels[level]
        within, _, way = level.rpartition(" and ")
        pairs = zip((self, new), LEARNED[way](self, new), strict=True)
        if not within:
            own, others = (made.astype(str) for _, made in pairs)
        else:
            own, others = (
                np.char.add(np.char.add(one.levels[within], ", "), made.astype(str))
                for one, made in pairs
            )
        return own, others


def clusters(train: Segmented, new: Segmented) -> tuple[Any, Any]:
    """Neighbors by embedding."""
    fitted = KMeans(N_CLUSTERS, n_init=1, random_state=0).fit(train.projections)
    return fitted.labels_, fitted.predict(new.projections)


def leaves(train: Segmented, new: Segmented) -> tuple[Any, Any]:
    """The leaves of a tree of two questions about the question, learned from the benefits."""
    tree = DecisionTreeRegressor(max_depth=2, min_samples_leaf=LEAF, random_state=0)
    tree.fit(train.features, train.benefit)
    return tree.apply(train.features), tree.apply(new.features)


LEARNED = {"clusters": clusters, "tree": leaves}
"""Ways of parting questions that are learned from those that a policy is made from."""


def read_segmented(paths: Sequence[Path], scorer: str, model: str) -> Segmented:
    questions = [(path.stem, own) for path in paths for own in read_calibration(path, scorer)]
    names = [name for name, _ in questions]
    kinds = [_kind(own.question.text) for _, own in questions]
    both = [f"{name}, {kind}" for name, kind in zip(names, kinds, strict=True)]
    levels = {"set": names, "kind": kinds, "set and kind": both}
    vectors = embedded([own for _, own in questions], model)
    rows = np.array([vectors[own.question.text] for _, own in questions])
    projections = PCA(N_PROJECTIONS, svd_solver="full").fit_transform(rows)
    words = np.array([of_question(own) for _, own in questions])
    return Segmented(
        np.array([benefit(own) for _, own in questions]),
        {name: np.array(labels) for name, labels in levels.items()},
        projections,
        np.hstack([words, projections]),
    )


def benefit(own: RecordedQuestion) -> float:
    return float(own.outcomes[ONCE].correct) - float(own.outcomes[NONE].correct)


def _kind(text: str) -> str:
    """The first of the kinds that a question is of."""
    return next((name for name, asks in QUESTION_KINDS.items() if asks(text)), "other")


def shrunk_means(labels: Labels, values: Floats, parents: Floats) -> dict[str, float]:
    """The mean of every segment, shrunk towards its parent's by its variance.

    ``parents`` are the estimates of the level above, by row.
    """
    names, groups = np.unique(labels, return_inverse=True)
    shrunk = shrinkage.shrunk_means(groups, values - parents)
    return {
        str(name): float(parents[labels == name][0]) + float(own)
        for name, own in zip(names, shrunk, strict=True)
    }


def estimates(train: Segmented, new: Segmented, levels: Sequence[str]) -> Floats:
    """The estimated benefit of each new question, each level shrunk towards the one before."""
    overall = float(train.benefit.mean())
    own, made = np.full(len(train.benefit), overall), np.full(len(new.benefit), overall)
    for level in levels:
        known, labels = train.labelled(new, level)
        means = shrunk_means(known, train.benefit, own)
        own = np.array([means[label] for label in known])
        made = np.array(
            [means.get(name, before) for name, before in zip(labels, made, strict=True)]
        )
    return made


def chains(levels: Sequence[str]) -> list[Sequence[str]]:
    return [tuple(levels[:depth]) for depth in range(len(levels) + 1)]


def admitted(train: Segmented, levels: Sequence[str], price: float) -> Sequence[str]:
    """The first levels that raise the utility on questions left out most; none where none does."""
    return _best({own: _crossed(train, own) for own in chains(levels)}, train.benefit, price)


def _best(crossed: Mapping[Sequence[str], Floats], benefits: Floats, price: float) -> Sequence[str]:
    """Of equals the fewest levels."""
    values = {
        levels: float(((estimated > price) * (benefits - price)).sum())
        for levels, estimated in crossed.items()
    }
    return max(values, key=values.__getitem__)


def _crossed(train: Segmented, levels: Sequence[str]) -> Floats:
    """Estimates of each question by the other folds' ones."""
    made = np.zeros(len(train.benefit))
    for fitted_on, others in KFold(5, shuffle=True, random_state=1).split(train.benefit):
        made[others] = estimates(train.part(fitted_on), train.part(others), levels)
    return made


def gains(data: Segmented, levels: Sequence[str], is_admitted: bool, n: int, seed: int) -> Floats:
    """Gain over the best plan of all, by question left out, averaged over the prices."""
    generator, collected = np.random.default_rng(seed), []
    folds = KFold(5, shuffle=True, random_state=seed)
    for fitted_on, others in folds.split(data.benefit):
        train = data.part(generator.permutation(fitted_on)[:n])
        new, gained = data.part(others), np.zeros(len(others))
        tried = chains(levels) if is_admitted else [tuple(levels)]
        made = {own: estimates(train, new, own) for own in tried}
        crossed = {own: _crossed(train, own) for own in tried} if is_admitted else {}
        for price in PRICES:
            used = _best(crossed, train.benefit, price) if is_admitted else tuple(levels)
            plan = train.benefit.mean() > price
            gained += ((made[used] > price) * 1.0 - plan) * (new.benefit - price) / len(PRICES)
        collected.append(gained)
    return np.concatenate(collected)


def trials(
    data: Segmented, tried: Sequence[Sequence[str]], numbers: Sequence[int], n_repeats: int
) -> Iterator[dict[str, Any]]:
    for levels in tried:
        for is_admitted in (False, True):
            for n in numbers:
                repeated = [gains(data, levels, is_admitted, n, seed) for seed in range(n_repeats)]
                values = repeated[0]
                yield {
                    "levels": " > ".join(levels),
                    "admitted by held-out value": is_admitted,
                    "questions": n,
                    "gain": float(np.mean([own.mean() for own in repeated])),
                    "its error": float(values.std(ddof=1) / len(values) ** 0.5),
                }


POOLED = (
    ("set",),
    ("kind",),
    ("clusters",),
    ("tree",),
    ("set", "set and kind"),
    ("set", "set and clusters"),
    ("set", "set and tree"),
)
ALONE = (("kind",), ("clusters",), ("tree",))


def of_set(data: Segmented, name: str) -> Segmented:
    return data.part(data.levels["set"] == name)


def main() -> None:
    parser = embedding_arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    data = read_segmented(given.outcomes, given.scorer, given.embedding_model)
    rows = [{"set": "all", **row} for row in trials(data, POOLED, (300, 1600), given.repeats)]
    rows += [
        {"set": path.stem, **row}
        for path in given.outcomes
        for row in trials(of_set(data, path.stem), ALONE, (400,), given.repeats)
    ]
    report("segments", rows)


if __name__ == "__main__":
    main()
