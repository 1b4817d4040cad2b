"""Does the best plan of a segment beat the best plan of all, on recorded calibration questions?

Segments are the set that a question is from and, in it, what its words ask for. The mean benefit of
retrieving in a segment is shrunk towards that of the level above by its variance (empirical Bayes:
between segments by the method of moments), and a level is admitted where that raises the utility on
questions left out. Judged by five-fold cross-validation, repeated; no test question is read.

    python -m benchmarks.segments nq.jsonl squad.jsonl trivia.jsonl musique.jsonl --scorer contains
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.calibration.text_features import QUESTION_KINDS
from benchmarks.recorded_sets import Floats, arguments, read_calibration
from benchmarks.reporting import report

PRICES = (0.02, 0.05, 0.1, 0.2, 0.4)
Labels = NDArray[np.str_]


@dataclass(frozen=True)
class Segmented:
    """The benefit of one retrieval, and the segment of each question at every level."""

    benefit: Floats
    levels: Mapping[str, Labels]

    def part(self, rows: Any) -> Segmented:
        levels = {name: labels[rows] for name, labels in self.levels.items()}
        return Segmented(self.benefit[rows], levels)


def read_segmented(paths: Sequence[Path], scorer: str) -> Segmented:
    benefits, names, kinds = [], [], []
    for path in paths:
        for own in read_calibration(path, scorer):
            benefits.append(float(own.outcomes[ONCE].correct) - float(own.outcomes[NONE].correct))
            names.append(path.stem)
            kinds.append(_kind(own.question.text))
    both = [f"{name}, {kind}" for name, kind in zip(names, kinds, strict=True)]
    levels = {"set": names, "kind": kinds, "set and kind": both}
    return Segmented(
        np.array(benefits), {name: np.array(labels) for name, labels in levels.items()}
    )


def _kind(text: str) -> str:
    """The first of the kinds that a question is of."""
    return next((name for name, asks in QUESTION_KINDS.items() if asks(text)), "other")


def shrunk_means(labels: Labels, values: Floats, parents: Floats) -> dict[str, float]:
    """The mean of every segment, shrunk towards its parent's by its variance.

    ``parents`` are the estimates of the level above, by row.
    """
    residuals = values - parents
    within = float(residuals.var())
    groups = {str(name): residuals[labels == name] for name in np.unique(labels)}
    between = sum(
        len(own) * (float(own.mean()) ** 2 - within / len(own)) for own in groups.values()
    ) / len(values)
    weight = {name: max(between, 0.0) for name in groups}
    return {
        name: float(parents[labels == name][0])
        + float(own.mean()) * weight[name] / (weight[name] + within / len(own) + 1e-12)
        for name, own in groups.items()
    }


def estimates(train: Segmented, new: Segmented, levels: Sequence[str]) -> Floats:
    """The estimated benefit of each new question, each level shrunk towards the one before."""
    overall = float(train.benefit.mean())
    own, made = np.full(len(train.benefit), overall), np.full(len(new.benefit), overall)
    for level in levels:
        means = shrunk_means(train.levels[level], train.benefit, own)
        own = np.array([means[label] for label in train.levels[level]])
        labels = new.levels[level]
        made = np.array(
            [means.get(name, before) for name, before in zip(labels, made, strict=True)]
        )
    return made


def admitted(train: Segmented, levels: Sequence[str], price: float) -> Sequence[str]:
    """The first levels that raise the utility on questions left out most; none where none does."""
    best, best_value = (), _crossed(train, (), price)
    for depth in range(1, len(levels) + 1):
        value = _crossed(train, levels[:depth], price)
        if value > best_value:
            best, best_value = tuple(levels[:depth]), value
    return best


def _crossed(train: Segmented, levels: Sequence[str], price: float) -> float:
    gains = 0.0
    for fitted_on, others in KFold(5, shuffle=True, random_state=1).split(train.benefit):
        act = estimates(train.part(fitted_on), train.part(others), levels) > price
        gains += float((act * (train.benefit[others] - price)).sum())
    return gains


def gains(data: Segmented, levels: Sequence[str], is_admitted: bool, n: int, seed: int) -> Floats:
    """Gain over the best plan of all, by question left out, averaged over the prices."""
    generator, collected = np.random.default_rng(seed), []
    folds = KFold(5, shuffle=True, random_state=seed)
    for fitted_on, others in folds.split(data.benefit):
        train = data.part(generator.permutation(fitted_on)[:n])
        new, gained = data.part(others), np.zeros(len(others))
        for price in PRICES:
            used = admitted(train, levels, price) if is_admitted else levels
            act = estimates(train, new, used) > price
            plan = train.benefit.mean() > price
            gained += (act * 1.0 - plan) * (new.benefit - price) / len(PRICES)
        collected.append(gained)
    return np.concatenate(collected)


def trials(data: Segmented, numbers: Sequence[int], n_repeats: int) -> Iterator[dict[str, Any]]:
    for levels in (("set",), ("kind",), ("set", "set and kind")):
        for is_admitted in (False, True):
            for n in numbers:
                run = partial(gains, data, levels, is_admitted, n)
                repeated = [float(run(seed).mean()) for seed in range(n_repeats)]
                values = run(0)
                yield {
                    "levels": " > ".join(levels),
                    "admitted by held-out value": is_admitted,
                    "questions": n,
                    "gain": float(np.mean(repeated)),
                    "its error": float(values.std(ddof=1) / len(values) ** 0.5),
                }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    data = read_segmented(given.outcomes, given.scorer)
    rows = list(trials(data, (300, 1600), given.repeats))
    report("segments", rows)


if __name__ == "__main__":
    main()
