import math
import random

import pytest
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from argo_ml.calibration.fitted_models import LinearModel
from argo_ml.policies.gates.learned import ClassModel, cross_fit, fit_classes


def linear(weight: float, intercept: float) -> LinearModel:
    return LinearModel(means=(1.0,), scales=(2.0,), weights=(weight,), intercept=intercept)


def test_probabilities_are_the_softmax_of_the_classes_scores() -> None:
    model = ClassModel((-1, 0, 1), (linear(0, 0), linear(0, math.log(2)), linear(1, 0)))
    # The last score is (1 - 1) / 2 = 0.
    assert model.probabilities((1.0,)) == pytest.approx({-1: 0.25, 0: 0.5, 1: 0.25})


def test_large_scores_do_not_overflow() -> None:
    model = ClassModel((0, 1), (linear(0, 0), linear(0, 2000.0)))
    assert model.probabilities((1.0,)) == {0: 0.0, 1: 1.0}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_fitted_probabilities_are_those_of_scikit_learn(n_classes: int) -> None:
    draws = random.Random(1)
    rows = [[draws.gauss(0, 1), draws.gauss(5, 3)] for _ in range(60)]
    labels = [draws.randrange(n_classes) - 1 for _ in rows]
    scaler = StandardScaler().fit(rows)
    theirs = LogisticRegression(C=0.03, max_iter=2000).fit(scaler.transform(rows), labels)
    ours = fit_classes(rows, labels)
    for row, expected in zip(rows, theirs.predict_proba(scaler.transform(rows)), strict=True):
        assert list(ours.probabilities(row).values()) == pytest.approx(list(expected))


def test_optional_features_are_used_where_they_tell_labels_apart() -> None:
    draws = random.Random(3)
    signal = [draws.gauss(0, 1) for _ in range(100)]
    noise = [[draws.gauss(0, 1) for _ in range(8)] for _ in signal]
    labels: list[int | None] = [int(value > 0) for value in signal]
    useful = cross_fit([[0.0, value] for value in signal], labels, optional=(1,))
    useless = cross_fit(
        [[a, *b] for a, b in zip(signal, noise, strict=True)], labels, optional=(8,)
    )
    assert any(useful.model.scores[1].weights)
    assert useless.model.scores[1].weights[1:] == (0.0,) * 8


def test_too_few_labels_of_all_but_one_class_give_their_shares() -> None:
    rows = [[float(number)] for number in range(10)]
    model = fit_classes(rows, [1] * 6 + [0] * 3 + [-1])
    for row in rows:
        assert model.probabilities(row) == pytest.approx({-1: 0.1, 0: 0.3, 1: 0.6})


def test_one_class_alone_is_certain() -> None:
    assert fit_classes([[1.0], [2.0]], [1, 1]).probabilities((3.0,)) == {1: 1.0}


def test_no_label_predicts_no_class() -> None:
    fitted = cross_fit([[1.0], [2.0]], [None, None])
    assert fitted.model.probabilities((1.0,)) == {}
    assert fitted.out_of_fold == ({}, {})


def test_a_row_s_own_label_does_not_touch_its_probabilities_out_of_fold() -> None:
    draws = random.Random(2)
    rows = [[draws.gauss(0, 1)] for _ in range(40)]
    labels: list[int | None] = [int(row[0] + draws.gauss(0, 1) > 0) for row in rows]
    flipped = [*labels]
    flipped[7] = 1 - (labels[7] or 0)
    before, after = cross_fit(rows, labels), cross_fit(rows, flipped)
    assert before.out_of_fold[7] == after.out_of_fold[7]
    assert before.out_of_fold[8] != after.out_of_fold[8]
