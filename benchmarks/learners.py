"""Which learner predicts what a retrieval changes, and when it is to be trusted.

Cross-validation over the questions of recorded calibration files alone, each converted as
docs/replay.md shows: no question that is tested on is read. A gain is the utility of retrieving
where the predicted change exceeds the price, minus that of the plan, never or always, that was
better on the questions fitted on; rules fall back to that plan where learning did not pay on
questions left out of fitting.

    python -m benchmarks.learners nq.jsonl squad.jsonl trivia.jsonl musique.jsonl --scorer contains
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.calibration.text_features import ANSWER_FEATURES, answer_in_question
from argo_ml.config import CacheFields
from argo_ml.corpus.embedding import load_embedder
from argo_ml.policies.gates.questions import question_features
from argo_ml.replay.recorded import RecordedQuestion
from benchmarks.recorded_sets import (
    PRICES,
    Floats,
    embedding_arguments,
    half_over_random,
    of_answer,
    of_cosine,
    of_question,
    read_calibration,
    scaled,
)
from benchmarks.reporting import report

Learner = Callable[[Floats, Floats, Floats], Floats]
"""Predictions for the last rows, from rows and targets of the first."""
STEPS = np.array(PRICES)
ERRORS = (-1.0, 0.0, 1.0)
"""Standard errors that learning has to gain on questions left out."""


def _ridge(rows: Floats, targets: Floats, new: Floats) -> Floats:
    predicted: Floats = RidgeCV(np.logspace(1, 4, 7)).fit(rows, targets).predict(new)
    return predicted


def _benefit(rows: Floats, targets: Floats, new: Floats) -> Floats:
    fitted = LogisticRegression(C=0.03, max_iter=300).fit(rows, targets)
    predicted: Floats = fitted.predict_proba(new) @ fitted.classes_
    return predicted


def _forest(fewest: int, rows: Floats, targets: Floats, new: Floats) -> Floats:
    trees = ExtraTreesRegressor(100, min_samples_leaf=fewest, max_features=0.4, random_state=0)
    predicted: Floats = trees.fit(rows, targets).predict(new)
    return predicted


def _nearest(n: int, rows: Floats, targets: Floats, new: Floats) -> Floats:
    fitted = KNeighborsRegressor(n, metric="cosine").fit(rows, targets)
    predicted: Floats = fitted.predict(new)
    return predicted


def _mean(learners: Sequence[Learner], rows: Floats, targets: Floats, new: Floats) -> Floats:
    predicted: Floats = np.mean([learner(rows, targets, new) for learner in learners], axis=0)
    return predicted


def _on_a_line(learner: Learner, rows: Floats, targets: Floats, new: Floats) -> Floats:
    """The line from predictions of rows left out to their targets, at those of the new ones."""
    left_out = np.zeros(len(rows))
    for first, others in folds(len(rows), 3):
        left_out[others] = learner(rows[first], targets[first], rows[others])
    variance = float(left_out.var())
    slope = float(np.cov(left_out, targets, bias=True)[0, 1]) / variance if variance else 0.0
    predicted = learner(rows, targets, new) - left_out.mean()
    line: Floats = targets.mean() + min(max(slope, 0.0), 1.0) * predicted
    return line


LEARNERS: Mapping[str, Learner] = {
    "ridge": _ridge,
    "benefit": _benefit,
    "forest, 10 in a leaf": partial(_forest, 10),
    "forest, 25 in a leaf": partial(_forest, 25),
    "forest, 50 in a leaf": partial(_forest, 50),
    "nearest 25": partial(_nearest, 25),
    "nearest 50": partial(_nearest, 50),
    "mean of ridge and forest": partial(_mean, (_ridge, partial(_forest, 25))),
    "forest, on a line": partial(_on_a_line, partial(_forest, 25)),
}
GROUPS = ("kind", "words", "answer")
OF_REASONING = ("answer_doubts", "answer_digit_share", "answer_capitals", "answer_commas")
TRIALS: Sequence[tuple[str, Sequence[str], int]] = (
    ("ridge", GROUPS, 0),
    ("benefit", GROUPS, 0),
    *((name, GROUPS, 0) for name in LEARNERS if name.startswith("forest")),
    ("forest, 25 in a leaf", ("kind", "words"), 0),
    ("forest, 25 in a leaf", ("kind", "answer"), 0),
    ("forest, 25 in a leaf", ("answer",), 0),
    ("forest, 25 in a leaf", GROUPS, 32),
    ("forest, 25 in a leaf", (*GROUPS, "reasoning"), 0),
    ("forest, 25 in a leaf", (*GROUPS, "cosine"), 0),
    ("ridge", (*GROUPS, "cosine"), 0),
    ("nearest 25", ("embedding",), 0),
    ("nearest 50", ("embedding",), 0),
    ("mean of ridge and forest", GROUPS, 0),
)
"""Learner, groups of features, and projections of the question's embedding."""
RULES = (("ridge", GROUPS), ("forest, 25 in a leaf", GROUPS))


class Questions:
    """Features by group, embeddings, and what a retrieval changed."""

    def __init__(self, recorded: Sequence[RecordedQuestion], embedding_model: str) -> None:
        texts = [own.question.text for own in recorded]
        embedder = load_embedder(embedding_model, CacheFields().cache_path)
        self.vectors: Floats = np.asarray(embedder.embed_queries(texts), dtype=float)
        self.groups: Mapping[str, Floats] = {
            "kind": np.array([of_question(own) for own in recorded]),
            "words": np.array([question_features(own.question) for own in recorded]),
            "answer": np.array([of_answer(own) for own in recorded]),
            "reasoning": np.array([_reasoning(own) for own in recorded]),
            "embedding": self.vectors,
            "cosine": of_cosine(recorded, self.vectors, embedder),
        }
        right = [[own.outcomes[plan].correct for own in recorded] for plan in (NONE, ONCE)]
        self.change = np.array(right[1], dtype=float) - np.array(right[0], dtype=float)

    def rows(self, groups: Sequence[str], n_projections: int, train: Any) -> Floats:
        return scaled([self.groups[name] for name in groups], self.vectors, n_projections, train)


def _reasoning(own: RecordedQuestion) -> list[float]:
    """Of the text before the answer: its length, doubts, digits, capitals and commas, what it
    repeats of the question, and whether the answer stands in it."""
    none = own.outcomes[NONE]
    text = none.course.reasoning
    computed = [ANSWER_FEATURES[name](text) for name in OF_REASONING]
    repeated = answer_in_question(text, own.question.text)
    return [
        np.log1p(len(text)),
        *computed,
        repeated,
        float(none.answer.text.lower() in text.lower()),
    ]


def folds(n: int, seed: int) -> Iterator[tuple[Any, Any]]:
    yield from KFold(5, shuffle=True, random_state=seed).split(np.zeros(n))


def gains(predicted: Floats, change: Floats, plan: Floats) -> Floats:
    """By question and price."""
    own: Floats = ((predicted[:, None] > STEPS) * 1.0 - plan) * (change[:, None] - STEPS)
    return own


def trial(
    questions: Questions, learner: Learner, groups: Sequence[str], n_projections: int, seed: int
) -> Floats:
    """Gains by question and price; in the last column at half the retrievals, over random."""
    change = questions.change
    made = np.zeros((len(change), len(STEPS) + 1))
    for train, held_out in folds(len(change), seed):
        rows = questions.rows(groups, n_projections, train)
        predicted = learner(rows[train], change[train], rows[held_out])
        plan = (change[train].mean() > STEPS) * 1.0
        made[held_out, :-1] = gains(predicted, change[held_out], plan)
        made[held_out, -1] = half_over_random(predicted, change[held_out])
    return made


def ruled(
    questions: Questions, learner: Learner, groups: Sequence[str], seed: int
) -> dict[float, Floats]:
    """By standard errors asked for, where learning has to pay at the price itself."""
    change = questions.change
    made = {n_errors: np.zeros((len(change), len(STEPS))) for n_errors in ERRORS}
    for train, held_out in folds(len(change), seed):
        rows, targets = questions.rows(groups, 0, train), change[train]
        inner = np.zeros((len(train), len(STEPS)))
        for first, others in folds(len(train), 7):
            predicted = learner(rows[train[first]], targets[first], rows[train[others]])
            plan = (targets[first].mean() > STEPS) * 1.0
            inner[others] = gains(predicted, targets[others], plan)
        predicted = learner(rows[train], targets, rows[held_out])
        own = gains(predicted, change[held_out], (targets.mean() > STEPS) * 1.0)
        error = inner.std(axis=0) * len(train) ** 0.5
        for n_errors, kept in made.items():
            kept[held_out] = np.where(inner.sum(axis=0) > n_errors * error + 1e-9, own, 0.0)
    return made


def row(name: str, features: str, by_set: Mapping[str, Floats]) -> dict[str, Any]:
    every = np.concatenate(list(by_set.values()))
    means = every.mean(axis=1)
    return {
        "learner": name,
        "features": features,
        "gain": 100 * float(means.mean()),
        "its error": 100 * float(means.std(ddof=1) / len(means) ** 0.5),
        **{name: round(100 * float(own.mean()), 2) for name, own in by_set.items()},
        "least at a price of a set": 100
        * min(float(own.mean(axis=0).min()) for own in by_set.values()),
    }


def at_half_retrievals(by_set: Mapping[str, Floats]) -> dict[str, Any]:
    every = 100 * np.concatenate(list(by_set.values()))
    return {
        "at half the retrievals": float(every.mean()),
        "error at half": float(every.std(ddof=1) / len(every) ** 0.5),
        "by set at half": [round(100 * float(own.mean()), 2) for own in by_set.values()],
    }


def main() -> None:
    parser = embedding_arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    sets = {
        path.stem: Questions(read_calibration(path, given.scorer), given.embedding_model)
        for path in given.outcomes
    }
    seeds = range(given.repeats)
    table = []
    for name, groups, n_projections in TRIALS:
        run = partial(trial, learner=LEARNERS[name], groups=groups, n_projections=n_projections)
        by_set = {key: np.mean([run(own, seed=s) for s in seeds], 0) for key, own in sets.items()}
        projections = f" + {n_projections} projections" if n_projections else ""
        at_price = {key: own[:, :-1] for key, own in by_set.items()}
        at_half = {key: own[:, -1] for key, own in by_set.items()}
        made = row(name, " + ".join(groups) + projections, at_price)
        table.append({**made, **at_half_retrievals(at_half)})
    report("learners", table)
    rules = []
    for name, groups in RULES:
        every = {
            key: [ruled(own, LEARNERS[name], groups, seed) for seed in seeds]
            for key, own in sets.items()
        }
        for n_errors in ERRORS:
            by_set = {key: np.mean([one[n_errors] for one in own], 0) for key, own in every.items()}
            rules.append(row(name, f"gain left out > {n_errors:g} standard errors", by_set))
    report("learners_rules", rules)


if __name__ == "__main__":
    main()
