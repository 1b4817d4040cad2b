from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import fmean

import pytest
from builders import result_builders
from optuna import create_study
from optuna.pruners import WilcoxonPruner
from optuna.trial import TrialState, create_trial

from argo_ml.results.records import QuestionResult
from argo_ml.study.objectives import (
    AccuracyCost,
    EveryPrice,
    Utility,
    Valuation,
    front,
    is_clearly_worse,
    knee,
    values,
)
from argo_ml.types import Prices

COSTS = {"retrieve": 0.1, "reason": 0.02}
VALUATION = Valuation(Prices(retrieve=0.1, reason=0.02), mu=2.0)


def row(index: int, correct: bool, n_retrieve: int = 0, n_reason: int = 0) -> QuestionResult:
    actions = ("retrieve",) * n_retrieve + ("reason",) * n_reason
    return result_builders.row(f"q{index}", actions, COSTS, correct=correct)


def rows(correct: Sequence[bool], n_retrieve: int = 0) -> list[QuestionResult]:
    return [row(index, value, n_retrieve) for index, value in enumerate(correct)]


def test_utility_is_correctness_less_the_weighted_price_of_actions() -> None:
    found = values(Utility(VALUATION), [row(0, True, 2, 1), row(1, False, 0, 3)])
    # 1 - 2 (0.2 + 0.02) = 0.56 and 0 - 2 x 0.06 = -0.12
    assert found == pytest.approx([0.22])


def test_accuracy_and_cost_stand_side_by_side() -> None:
    assert values(AccuracyCost(VALUATION), [row(0, True, 1), row(1, False, 0, 5)]) == pytest.approx(
        [0.5, 0.1]
    )


def test_two_values_give_the_utility_at_every_price() -> None:
    listed = [row(0, True, 3, 1), row(1, False, 1, 4)]
    before, retrievals = values(EveryPrice(VALUATION), listed)
    for price in (0.02, 0.5):
        direct = Valuation(Prices(price, 0.02), 2.0).mean_utility(listed)
        assert before - 2.0 * price * retrievals == pytest.approx(direct)


def test_a_trial_that_fails_where_the_best_succeeds_is_clearly_worse() -> None:
    best = rows([True] * 40)
    assert is_clearly_worse(Utility(VALUATION), rows([False] * 20), [best])


def test_a_trial_as_good_as_the_best_goes_on() -> None:
    mixed = [index % 2 == 0 for index in range(40)]
    other = [index % 2 == 1 for index in range(40)]
    assert not is_clearly_worse(Utility(VALUATION), rows(mixed), [rows(other)])
    assert not is_clearly_worse(Utility(VALUATION), rows(mixed), [rows(mixed)])


def test_no_trial_is_stopped_before_ten_questions_or_without_a_best() -> None:
    best = rows([True] * 40)
    assert not is_clearly_worse(Utility(VALUATION), rows([False] * 9), [best])
    assert is_clearly_worse(Utility(VALUATION), rows([False] * 10), [best])
    assert not is_clearly_worse(Utility(VALUATION), rows([False] * 10), [])


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("n_asked", [10, 20, 40])
def test_a_trial_is_stopped_where_optunas_pruner_stops_it(n_asked: int) -> None:
    for seed in range(8):
        draws = random.Random(seed)
        best = [draws.random() < 0.7 for _ in range(40)]
        own = [draws.random() < 0.3 + 0.05 * seed for _ in range(n_asked)]
        study = create_study(direction="maximize")
        study.add_trial(
            create_trial(value=fmean(best), intermediate_values=dict(enumerate(map(float, best))))
        )
        running = create_trial(
            state=TrialState.RUNNING, intermediate_values=dict(enumerate(map(float, own)))
        )
        is_pruned = WilcoxonPruner(p_threshold=0.05, n_startup_steps=10).prune(study, running)

        assert is_clearly_worse(Utility(VALUATION), rows(own), [rows(best)]) == is_pruned


def test_with_two_values_only_a_dominated_region_is_stopped() -> None:
    objective = AccuracyCost(VALUATION)
    cheap_and_right = rows([True] * 40)
    assert is_clearly_worse(objective, rows([False] * 20, n_retrieve=1), [cheap_and_right])
    # Cheaper than the other: however wrong, it may belong to the front.
    dear_and_right = rows([True] * 40, n_retrieve=1)
    assert not is_clearly_worse(objective, rows([False] * 20), [dear_and_right])


def test_the_knee_is_where_the_front_bends() -> None:
    front = [(0.2, 0.0), (0.8, 0.1), (0.9, 0.5), (1.0, 1.0)]
    assert knee(front, AccuracyCost(VALUATION)) == 1


def test_the_knee_of_a_straight_front_is_its_most_accurate_end() -> None:
    assert knee([(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)], AccuracyCost(VALUATION)) == 2
    assert knee([(0.7, 0.1)], AccuracyCost(VALUATION)) == 0


def test_the_front_holds_what_nothing_dominates_and_the_first_of_equals() -> None:
    points = [(0.5, 0.2), (0.9, 0.5), (0.9, 0.5), (0.4, 0.3), (0.3, 0.0)]
    trials = [create_trial(values=list(point)) for point in points]
    found = front(AccuracyCost(VALUATION), trials)
    assert [tuple(trial.values) for trial in found] == [(0.3, 0.0), (0.5, 0.2), (0.9, 0.5)]
    [best] = front(Utility(VALUATION), [create_trial(value=value) for value in (0.1, 0.4, 0.2)])
    assert best.value == 0.4
