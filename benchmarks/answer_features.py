"""Which features, learner and threshold decide best whether to retrieve, on recorded answers?

Cross-validation over the questions of calibration files alone, each converted as docs/replay.md
shows: no question that is tested on is read. A trial's gain is the mean over prices of its utility
minus that of the plan, retrieving never or always, that was better on the questions fitted on.

    python -m benchmarks.answer_features nq.jsonl squad.jsonl --scorer contains
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.config import CacheFields
from argo_ml.corpus.embedding import load_embedder
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.statistics.frontiers import threshold_by_line
from benchmarks.price_thresholds import threshold_for_price
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

N_FOLDS = 5
HALF = 2
"""The column of gains at half the retrievals, after those of both rules for thresholds."""
Learner = Callable[[Floats, Floats, Floats, Floats], Floats]
"""Scores of the last rows, from rows, outcomes without and with retrieval of the first."""


@dataclass(frozen=True)
class Questions:
    """Features by group, and whether answers are right without and with retrieval."""

    groups: Mapping[str, Floats]
    vectors: Floats
    without: Floats
    with_: Floats


def load(path: Path, scorer: str, embedding_model: str) -> Questions:
    recorded = read_calibration(path, scorer)
    embedder = load_embedder(embedding_model, CacheFields().cache_path)
    correct = [[own.outcomes[plan].correct for own in recorded] for plan in (NONE, ONCE)]
    texts = [own.question.text for own in recorded]
    vectors: Floats = np.asarray(embedder.embed_queries(texts), dtype=float)
    groups = {name: np.array(list(map(make, recorded))) for name, make in GROUPS.items()}
    return Questions(
        groups={**groups, "cosine": of_cosine(recorded, vectors, embedder)},
        vectors=vectors,
        without=np.array(correct[0], dtype=float),
        with_=np.array(correct[1], dtype=float),
    )


GROUPS: Mapping[str, Callable[[RecordedQuestion], list[float]]] = {
    "answer": of_answer,
    "question": of_question,
}


def _benefit(strength: float, rows: Floats, without: Floats, with_: Floats, new: Floats) -> Floats:
    """P(u = 1) - P(u = -1) of u = with - without, as `benefit_gate` has it."""
    regression = LogisticRegression(C=strength, max_iter=500).fit(rows, with_ - without)
    scores: Floats = regression.predict_proba(new) @ regression.classes_
    return scores


def _error(strength: float, rows: Floats, without: Floats, with_: Floats, new: Floats) -> Floats:
    """P(wrong without retrieval), as `question_only` has it."""
    regression = LogisticRegression(C=strength, max_iter=500).fit(rows, 1 - without)
    scores: Floats = regression.predict_proba(new)[:, 1]
    return scores


def _ridge(rows: Floats, without: Floats, with_: Floats, new: Floats) -> Floats:
    """The benefit itself, as `argo_fitted` has it."""
    scores: Floats = RidgeCV(np.logspace(0, 4, 9)).fit(rows, with_ - without).predict(new)
    return scores


LEARNERS: Mapping[str, Learner] = {
    "benefit C=1": partial(_benefit, 1.0),
    "benefit C=0.03": partial(_benefit, 0.03),
    "error C=1": partial(_error, 1.0),
    "error C=0.03": partial(_error, 0.03),
    "ridge": _ridge,
}
INPUTS: Sequence[tuple[tuple[str, ...], int]] = (
    (("question",), 0),
    (("answer",), 0),
    (("answer", "question"), 0),
    (("answer", "question", "cosine"), 0),
    (("answer", "question"), 4),
    (("answer", "question"), 32),
    (("question",), 32),
)
"""Groups of features, and projections of the question's embedding."""


def inputs(questions: Questions, groups: Sequence[str], n_projections: int, train: Any) -> Floats:
    return scaled(
        [questions.groups[name] for name in groups], questions.vectors, n_projections, train
    )


def gains(questions: Questions, learner: Learner, rows_of: Callable[[Any], Floats]) -> Floats:
    """Mean gain over prices by question and by rule, best threshold and line; and of the accuracy
    at half the retrievals, over random."""
    without, with_ = questions.without, questions.with_
    found = np.zeros((len(without), 3))
    for train, held_out in _folds(len(without), 0):
        rows = rows_of(train)
        scores = learner(rows[train], without[train], with_[train], rows[held_out])
        own = np.zeros(len(train))
        for fitted_on, others in _folds(len(train), 1):
            part = train[fitted_on]
            own[others] = learner(rows[part], without[part], with_[part], rows[train[others]])
        given = (own.tolist(), (without[train] > 0).tolist(), (with_[train] > 0).tolist())
        benefit = with_[held_out] - without[held_out]
        found[held_out, HALF] = half_over_random(scores, benefit)
        for price in PRICES:
            plan = float((with_ - without)[train].mean() > price)
            rules = (threshold_for_price(*given, price).threshold, threshold_by_line(*given, price))
            for rule, threshold in enumerate(rules):
                act = (scores >= threshold) - plan
                found[held_out, rule] += act * (benefit - price) / len(PRICES)
    return found


def areas(questions: Questions) -> dict[str, float]:
    """Area under the ROC curve of P(right without retrieval), out of fold, by groups of features;
    the mean over five ways of folding."""
    right = questions.without
    learner = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=500))
    found = {}
    for groups in (
        ("question",),
        ("answer",),
        ("cosine",),
        ("answer", "question"),
        ("answer", "question", "cosine"),
    ):
        rows = np.hstack([questions.groups[name] for name in groups])
        scores = [
            cross_val_predict(learner, rows, right, cv=cv, method="predict_proba")[:, 1]
            for cv in (KFold(N_FOLDS, shuffle=True, random_state=seed) for seed in range(5))
        ]
        found[" + ".join(groups)] = float(np.mean([roc_auc_score(right, own) for own in scores]))
    return found


def _folds(n: int, seed: int) -> Iterator[tuple[Any, Any]]:
    yield from KFold(N_FOLDS, shuffle=True, random_state=seed).split(np.zeros(n))


def main() -> None:
    parser = embedding_arguments(__doc__)
    parser.add_argument("--only-p-hat", action="store_true")
    given = parser.parse_args()
    sets = {path.stem: load(path, given.scorer, given.embedding_model) for path in given.outcomes}
    of_p_hat = [{"set": name, **areas(questions)} for name, questions in sets.items()]
    report("answer_features_of_p_hat", of_p_hat)
    if given.only_p_hat:
        return
    rows = [
        row
        for groups, n_projections in INPUTS
        for name, learner in LEARNERS.items()
        for row in _trial(sets, groups, n_projections, name, learner)
    ]
    report(
        "answer_features", rows, questions={name: len(own.without) for name, own in sets.items()}
    )
    report("answer_features_rules", [_of_rule(rule, rows, list(sets)) for rule in ("best", "line")])


def _of_rule(rule: str, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Over all pairs of a trial and a set."""
    own = [row for row in rows if row["threshold"] == rule]
    gains = np.array([[row[name] for name in names] for row in own])
    return {
        "threshold": rule,
        "pairs": gains.size,
        "gain": float(gains.mean()),
        "lost where it loses": float(-gains[gains < 0].mean()) if (gains < 0).any() else 0.0,
        "lost, 0 where it gains": float(np.maximum(-gains, 0.0).mean()),
        "most lost": float(-gains.min()),
        "error": float(np.mean([row["its error"] for row in own])),
    }


def _trial(
    sets: Mapping[str, Questions],
    groups: Sequence[str],
    n_projections: int,
    name: str,
    learner: Learner,
) -> Iterator[dict[str, Any]]:
    by_set = {
        title: 100 * gains(own, learner, partial(inputs, own, groups, n_projections))
        for title, own in sets.items()
    }
    pooled = np.concatenate(list(by_set.values()))
    for rule, threshold in enumerate(("best", "line")):
        values = pooled[:, rule]
        used = (*groups, f"{n_projections} projections") if n_projections else groups
        yield {
            "features": " + ".join(used),
            "learner": name,
            "threshold": threshold,
            **{title: round(float(own[:, rule].mean()), 2) for title, own in by_set.items()},
            "all": round(float(values.mean()), 2),
            "its error": _error_of(values),
            "at half the retrievals": round(float(pooled[:, HALF].mean()), 2),
            "error at half": _error_of(pooled[:, HALF]),
            "by set at half": [round(float(own[:, HALF].mean()), 2) for own in by_set.values()],
        }


def _error_of(values: Floats) -> float:
    return round(float(values.std(ddof=1) / len(values) ** 0.5), 2)


if __name__ == "__main__":
    main()
