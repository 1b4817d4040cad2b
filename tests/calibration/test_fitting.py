from __future__ import annotations

import random

import numpy as np
import pytest

from argo_ml.calibration.fitted_models import LinearModel, ProbabilityModel
from argo_ml.calibration.fitting import column_choices, fit_probability, fit_ridge

pytestmark = pytest.mark.slow


def drawn(n_rows: int, signal: float, seed: int = 1) -> tuple[list[list[float]], list[bool]]:
    """Two features, of which the first tells the label by a logistic law of slope ``signal``."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_rows, 2))
    labels = rng.random(n_rows) < 1 / (1 + np.exp(-signal * rows[:, 0]))
    return rows.tolist(), labels.tolist()


def groups(n_rows: int, size: int = 2) -> list[str]:
    return [str(index // size) for index in range(n_rows)]


def test_p_hat_is_near_the_law_that_made_the_labels() -> None:
    rows, labels = drawn(2000, signal=2.0)
    model = fit_probability(rows, labels, groups(2000)).model
    for x in (-2.0, -1.0, 0.0, 1.0, 2.0):
        assert model.probability([x, 0.3]) == pytest.approx(1 / (1 + np.exp(-2 * x)), abs=0.08)


def test_out_of_fold_it_beats_the_mean_where_there_is_a_signal() -> None:
    rows, labels = drawn(600, signal=2.0)
    brier = fit_probability(rows, labels, groups(600)).model.brier
    assert brier["platt"] < 0.85 * brier["constant"]


def test_noise_leaves_the_mean() -> None:
    rows, labels = drawn(200, signal=0.0, seed=3)
    fitted = fit_probability(rows, labels, groups(200))
    share = sum(labels) / len(labels)
    values = [fitted.model.probability(row) for row in rows]
    assert max(values) - min(values) < 0.25
    assert np.mean(values) == pytest.approx(share, abs=0.05)


def test_the_better_way_by_the_out_of_fold_brier_score_is_taken() -> None:
    model = fit_probability(*drawn(500, signal=1.0), groups(500)).model
    assert model.brier[model.mapped_by] == min(model.brier.values())
    assert set(model.brier) == {"platt", "isotonic", "constant"}


def test_no_question_is_on_both_sides_of_a_fold() -> None:
    # Labels follow the question alone, which a feature numbers: to know it is to cheat.
    rng = random.Random(5)
    secrets = [rng.random() < 0.5 for _ in range(60)]
    rows = [[float(number == index) for number in range(60)] for index in range(60) for _ in "ab"]
    labels = [secret for secret in secrets for _ in "ab"]
    fitted = fit_probability(rows, labels, groups(120))
    assert np.mean((fitted.out_of_fold - np.array(labels)) ** 2) > 0.2


@pytest.mark.parametrize("label", [True, False])
def test_labels_that_are_all_alike_give_that_probability(label: bool) -> None:
    fitted = fit_probability([[0.0], [1.0], [2.0]], [label] * 3, ["a", "b", "c"])
    assert fitted.model.probability([7.0]) == float(label)
    assert fitted.out_of_fold.tolist() == [float(label)] * 3


def test_the_same_rows_give_the_same_model() -> None:
    rows, labels = drawn(200, signal=1.0)
    first, second = (fit_probability(rows, labels, groups(200)).model for _ in range(2))
    assert first == second


def test_a_model_survives_being_written() -> None:
    model = fit_probability(*drawn(300, signal=3.0), groups(300)).model
    restored = ProbabilityModel.model_validate_json(model.model_dump_json())
    assert restored.probability([0.4, -1.0]) == model.probability([0.4, -1.0])


def test_a_linear_model_by_hand() -> None:
    model = LinearModel(means=(1.0, 0.0), scales=(2.0, 1.0), weights=(4.0, -1.0), intercept=0.5)
    assert model.value([2.0, 3.0]) == pytest.approx(0.5 + 4 * 0.5 - 3)


def test_one_question_cannot_be_fitted_on() -> None:
    with pytest.raises(ValueError, match="one question"):
        fit_probability([[0.0], [1.0]], [True, False], ["a", "a"])


def test_optional_features_weigh_nothing_where_they_are_noise() -> None:
    rng = np.random.default_rng(2)
    rows, labels = drawn(300, signal=2.0)
    wide = [[*row, *rng.normal(size=30)] for row in rows]
    targets = [float(label) for label in labels]

    model = fit_ridge(wide, targets, optional=(30,))

    assert len(model.weights) == 32
    assert not any(model.weights[2:])
    assert model.value(wide[0]) == pytest.approx(fit_ridge(rows, targets).value(rows[0]))


def test_optional_features_are_used_where_they_tell_something() -> None:
    rows, labels = drawn(300, signal=2.0)
    turned = [row[::-1] for row in rows]

    assert fit_ridge(turned, [float(label) for label in labels], optional=(1,)).weights[1] > 0.1


def test_each_optional_group_is_used_for_itself() -> None:
    rng = np.random.default_rng(2)
    rows, labels = drawn(300, signal=2.0)
    noise = rng.normal(size=(300, 30))
    wide = [[row[1], *own, row[0]] for row, own in zip(rows, noise, strict=True)]

    weights = fit_ridge(wide, [float(label) for label in labels], optional=(30, 1)).weights

    assert not any(weights[1:31])
    assert weights[31] > 0.1


def test_choices_of_columns_begin_with_those_of_fewest_groups() -> None:
    assert column_choices(4, (1, 1)) == [(0, 1), (0, 1, 2), (0, 1, 3), (0, 1, 2, 3)]
    assert column_choices(3, (1, 0)) == [(0, 1), (0, 1, 2)]
    assert column_choices(2, ()) == [(0, 1)]
