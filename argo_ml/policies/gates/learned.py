"""Multinomial logistic regression, fitted by scikit-learn and kept as plain numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argo_ml.calibration.fitted_models import LinearModel
from argo_ml.calibration.fitting import column_choices

N_FOLDS = 5
FEWEST = 5
"""Labels of a class below which there is nothing to tell it by."""

PENALTY = 0.03
"""Inverse strength of the L2 penalty: strong, since some hundred questions say little."""
_LEAST_PROBABILITY = 1e-9

Rows = Sequence[Sequence[float]]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassModel:
    """P(class) is the softmax of one linear score per class."""

    classes: tuple[int, ...] = ()
    scores: tuple[LinearModel, ...] = ()

    def probabilities(self, inputs: Sequence[float]) -> Mapping[int, float]:
        """P(class) of every class that it was fitted on."""
        values = [score.value(inputs) for score in self.scores]
        weights = [math.exp(value - max(values)) for value in values]
        total = math.fsum(weights)
        return {label: weight / total for label, weight in zip(self.classes, weights, strict=True)}


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """The model of all labelled rows; P(class) of each row by a model that has not seen it."""

    model: ClassModel
    out_of_fold: tuple[Mapping[int, float], ...]

    def log_likelihood(self, labels: Sequence[int | None]) -> float:
        """Of the labels, by models that have not seen them."""
        return math.fsum(
            math.log(max(shares.get(label, 0.0), _LEAST_PROBABILITY))
            for shares, label in zip(self.out_of_fold, labels, strict=True)
            if label is not None
        )

    def spread(self, columns: Sequence[int], n_features: int) -> CrossFitted:
        scores = tuple(score.spread(columns, n_features) for score in self.model.scores)
        return CrossFitted(ClassModel(self.model.classes, scores), self.out_of_fold)


def cross_fit(
    rows: Rows, labels: Sequence[int | None], optional: Sequence[int] = ()
) -> CrossFitted:
    """Fit on the rows that have a label. Every fifth row is of one fold.

    The groups of features of so many each that stand last are used where labels left out are more
    probable with them.
    """
    n_features = len(rows[0]) if rows else 0
    choices = column_choices(n_features, optional)
    fits = [
        _cross_fit([[row[column] for column in columns] for row in rows], labels)
        for columns in choices
    ]
    # Of equals the first: with fewer features.
    best = max(range(len(fits)), key=lambda at: fits[at].log_likelihood(labels))
    return fits[best].spread(choices[best], n_features)


def _cross_fit(rows: Rows, labels: Sequence[int | None]) -> CrossFitted:
    table = np.asarray(rows, dtype=float)
    model = _fit_labelled(table, labels)
    out_of_fold: dict[int, Mapping[int, float]] = {}
    for fold in range(N_FOLDS):
        held_out = [None if at % N_FOLDS == fold else label for at, label in enumerate(labels)]
        unseen = _fit_labelled(table, held_out)
        out_of_fold |= {
            at: unseen.probabilities(rows[at]) for at in range(fold, len(rows), N_FOLDS)
        }
    return CrossFitted(model, tuple(out_of_fold[at] for at in range(len(rows))))


def fit_classes(rows: Rows | Floats, labels: Sequence[int]) -> ClassModel:
    """A logistic regression; the classes' shares where fewer than two have `FEWEST` labels."""
    counts = Counter(labels)
    if sum(count >= FEWEST for count in counts.values()) < 2:
        return _shares(counts, len(rows[0]) if len(rows) else 0)
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

    table = np.asarray(rows, dtype=float)
    scaler = StandardScaler().fit(table)
    regression = LogisticRegression(C=PENALTY, max_iter=2000).fit(scaler.transform(table), labels)
    weights, intercepts = regression.coef_, regression.intercept_
    if len(counts) == 2:
        # Of two classes scikit-learn has the score of the second against the first.
        weights = np.vstack([np.zeros_like(weights), weights])
        intercepts = np.concatenate([[0.0], intercepts])
    scores = tuple(
        LinearModel.of(scaler.mean_, scaler.scale_, row, intercept)
        for row, intercept in zip(weights, intercepts, strict=True)
    )
    return ClassModel(tuple(map(int, regression.classes_)), scores)


def _fit_labelled(table: Floats, labels: Sequence[int | None]) -> ClassModel:
    is_labelled = np.array([label is not None for label in labels], dtype=bool)
    return fit_classes(table[is_labelled], [label for label in labels if label is not None])


def _shares(counts: Mapping[int, int], n_features: int) -> ClassModel:
    classes = tuple(sorted(counts))
    scores = tuple(LinearModel.constant(math.log(counts[label]), n_features) for label in classes)
    return ClassModel(classes, scores)
