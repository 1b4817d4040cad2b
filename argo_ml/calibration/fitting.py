"""Fitting p-hat: the calibrated probability that the answer now is right, by logistic regression.

The regression's scores are mapped to probabilities by Platt's sigmoid or by isotonic regression,
whichever has the lower Brier score on questions that it was not fitted on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_ml.calibration.fitted_models import LinearModel, ProbabilityModel, logistic

N_FITTING_FOLDS = 5
PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse strengths of the L2 penalty to choose among."""
RIDGE_PENALTIES = tuple(float(value) for value in np.logspace(0, 4, 9))
MAX_ITERATIONS = 2000
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedProbability:
    """The model, and p-hat of every row by models that have not seen the row's question."""

    model: ProbabilityModel
    out_of_fold: Floats


def fit_probability(
    rows: Sequence[Sequence[float]], correct: Sequence[bool], groups: Sequence[str]
) -> FittedProbability:
    """Fit on (n, n_features) ``rows``; rows of one group (a question) are never split up.

    Scores are out of fold; each way of mapping them is then judged on folds that it has not been
    fitted on either. Where no way beats the mean of the labels, p-hat is that mean.
    """
    features = np.asarray(rows, dtype=float)
    labels = np.asarray(correct, dtype=float)
    base_rate = float(labels.mean())
    if not 0 < base_rate < 1:
        return _constant(features, base_rate)
    folds = _folds(groups)
    scores = _cross_fitted(
        folds, lambda train: _linear_scores(features, labels, groups, train), features
    )
    mapped = {
        name: _cross_fitted(folds, _mapping(fit, scores, labels), scores)
        for name, fit in _MAPS.items()
    }
    mapped["constant"] = _cross_fitted(
        folds, lambda train: lambda rows: np.full(len(rows), labels[train].mean()), scores
    )
    brier = {name: float(np.mean((values - labels) ** 2)) for name, values in mapped.items()}
    best: Any = min(brier, key=brier.__getitem__)
    model = ProbabilityModel(
        linear=fit_logistic(features, labels, groups),
        mapped_by=best,
        platt=_fit_platt(scores, labels) if best == "platt" else (1.0, 0.0),
        points=fit_isotonic(scores, labels) if best == "isotonic" else (),
        base_rate=base_rate,
        brier=brier,
    )
    if best == "constant":
        # Means of the folds differ by chance alone, which is no signal.
        return FittedProbability(model, np.full(len(labels), base_rate))
    return FittedProbability(model, mapped[best])


def fit_logistic(features: Floats, labels: Floats, groups: Sequence[str]) -> LinearModel:
    """Fit with the L2 penalty of the lowest log-loss on groups left out: noise weighs little."""
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    regression = _penalised(scaled, labels, groups)
    [weights], [intercept] = regression.coef_, regression.intercept_
    return LinearModel.of(scaler.mean_, scaler.scale_, weights, intercept)


def fit_ridge(
    rows: Sequence[Sequence[float]], targets: Sequence[float], optional: Sequence[int] = ()
) -> LinearModel:
    """Fit with the penalty of the smallest leave-one-out error, which ridge regression has in
    closed form (Golub, Heath and Wahba 1979); it also decides which of the ``optional`` groups of
    features are used."""
    features, target_values = np.asarray(rows, dtype=float), np.asarray(targets, dtype=float)
    n_features = features.shape[1]
    choices = column_choices(n_features, optional)
    fits = [_ridge(features[:, columns], target_values) for columns in choices]
    # Of equal scores the first: with fewer features.
    best = max(range(len(fits)), key=lambda at: fits[at].score)
    return fits[best].model.spread(choices[best], n_features)


def column_choices(n_features: int, optional: Sequence[int]) -> list[tuple[int, ...]]:
    """The columns of all features but some of the ``optional`` groups, of so many each, that stand
    last; fewer groups first."""
    ends = list(accumulate(optional, initial=n_features - sum(optional)))
    groups = [range(begin, end) for begin, end in pairwise(ends) if begin < end]
    return [
        (*range(ends[0]), *chain(*chosen))
        for n_chosen in range(len(groups) + 1)
        for chosen in combinations(groups, n_chosen)
    ]


@dataclass(frozen=True, slots=True)
class _Scored:
    """A model and its score on what it was not fitted on; higher is better."""

    model: LinearModel
    score: float


def _ridge(features: Floats, targets: Floats) -> _Scored:
    from sklearn.linear_model import RidgeCV  # type: ignore[import-untyped]
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    regression = RidgeCV(RIDGE_PENALTIES).fit(scaler.transform(features), targets)
    weights, intercept = regression.coef_, regression.intercept_
    model = LinearModel.of(scaler.mean_, scaler.scale_, weights, intercept)
    return _Scored(model, float(regression.best_score_))


def _penalised(features: Floats, labels: Floats, groups: Sequence[str]) -> Any:
    # What `GridSearchCV` finds with `neg_log_loss`, which takes twice as long to check its inputs.
    folds = _folds(groups)
    if any(len(set(labels[part])) < 2 for fold in folds for part in fold):
        return _regression(PENALTIES[0], features, labels)
    losses = {
        penalty: np.mean([_log_loss(penalty, features, labels, *fold) for fold in folds])
        for penalty in PENALTIES
    }
    return _regression(min(losses, key=losses.__getitem__), features, labels)


def _regression(penalty: float, features: Floats, labels: Floats) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS).fit(features, labels)


def _log_loss(penalty: float, features: Floats, labels: Floats, train: Any, held_out: Any) -> float:
    fitted = _regression(penalty, features[train], labels[train])
    chances = fitted.predict_proba(features[held_out])
    of_label = chances[np.arange(len(held_out)), labels[held_out].astype(int)]
    return -float(np.mean(np.log(np.maximum(of_label, np.finfo(float).eps))))


def _constant(features: Floats, base_rate: float) -> FittedProbability:
    linear = LinearModel.constant(0.0, features.shape[1])
    model = ProbabilityModel(
        linear=linear, mapped_by="constant", base_rate=base_rate, brier={"constant": 0.0}
    )
    return FittedProbability(model, np.full(len(features), base_rate))


def _folds(groups: Sequence[str]) -> list[tuple[Any, Any]]:
    from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

    n_folds = min(N_FITTING_FOLDS, len(set(groups)))
    if n_folds < 2:
        raise ValueError("one question cannot be split into those fitted on and the others")
    return list(GroupKFold(n_folds).split(np.zeros(len(groups)), groups=list(groups)))


def _cross_fitted(
    folds: Sequence[tuple[Any, Any]],
    fit: Callable[[Any], Callable[[Floats], Floats]],
    inputs: Floats,
) -> Floats:
    """Values of each fold by the function that was fitted on the other folds."""
    values = np.empty(len(inputs))
    for train, held_out in folds:
        values[held_out] = fit(train)(inputs[held_out])
    return values


def _linear_scores(
    features: Floats, labels: Floats, groups: Sequence[str], train: Any
) -> Callable[[Floats], Floats]:
    if len(set(labels[train])) < 2:
        return lambda rows: np.zeros(len(rows))
    linear = fit_logistic(features[train], labels[train], [groups[row] for row in train])
    return lambda rows: np.array([linear.value(row) for row in rows])


def _mapping(
    fit: Callable[[Floats, Floats], Callable[[Floats], Floats]], scores: Floats, labels: Floats
) -> Callable[[Any], Callable[[Floats], Floats]]:
    return lambda train: fit(scores[train], labels[train])


def _fit_platt(scores: Floats, labels: Floats) -> tuple[float, float]:
    """a, b of 1 / (1 + exp(-(a score + b))) (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    if len(set(labels)) < 2:
        return 0.0, _logit(float(labels.mean()))
    # Without regularisation, as Platt fits it.
    fitted = LogisticRegression(C=np.inf, max_iter=MAX_ITERATIONS).fit(scores[:, None], labels)
    return float(fitted.coef_[0][0]), float(fitted.intercept_[0])


def fit_isotonic(scores: Floats, labels: Floats) -> tuple[tuple[float, float], ...]:
    """(score, probability) pairs of a map that never falls."""
    from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, labels)
    pairs = zip(fitted.X_thresholds_, fitted.y_thresholds_, strict=True)
    return tuple((float(score), float(value)) for score, value in pairs)


def _platt(scores: Floats, labels: Floats) -> Callable[[Floats], Floats]:
    slope, offset = _fit_platt(scores, labels)
    return lambda rows: np.array([logistic(slope * row + offset) for row in rows])


def _isotonic(scores: Floats, labels: Floats) -> Callable[[Floats], Floats]:
    at, values = zip(*fit_isotonic(scores, labels), strict=True)
    return lambda rows: np.interp(rows, at, values)


_MAPS: Mapping[str, Callable[[Floats, Floats], Callable[[Floats], Floats]]] = {
    "platt": _platt,
    "isotonic": _isotonic,
}


def _logit(share: float) -> float:
    clipped = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(clipped / (1 - clipped))
