from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from builders import result_builders
from optuna.trial import create_trial

from argo_ml.config import StudySpec, build
from argo_ml.results.records import QuestionResult
from argo_ml.study.objectives import (
    AccuracyCost,
    EveryPrice,
    Objective,
    Utility,
    Valuation,
    front,
    is_clearly_worse,
    knee,
    make_objective,
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


def test_calls_that_serve_a_decision_have_their_price() -> None:
    """As on the row itself, whose cost is that of its episode."""
    valuation = Valuation(Prices(retrieve=0.1, reason=0.02, probe=0.05), mu=2.0)
    probing = row(0, True, 1, 1).model_copy(
        update={"probe_calls": 2, "sample_calls": 1, "cost": 0.1 + 0.02 + 3 * 0.05}
    )
    assert valuation.cost(probing) == pytest.approx(probing.cost)
    before, retrievals = values(EveryPrice(valuation), [probing])
    assert before - 2.0 * 0.1 * retrievals == pytest.approx(valuation.utility(probing))


def test_the_objective_of_a_study_knows_what_its_looks_cost() -> None:
    probing = row(0, True).model_copy(update={"probe_calls": 1})
    spec = build(StudySpec, {"probe_cost": 0.3, "mu": 1.0})
    assert values(make_objective(spec), [probing]) == pytest.approx([0.7])


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


@pytest.mark.parametrize(
    ("price", "gains", "losses"),
    [(0.03, 0.03, 0.0), (0.11, 0.11, 0.0), (0.11, 0.15, 0.04), (0.26, 0.31, 0.05), (0.0, 0.3, 0.3)],
)
def test_few_trials_as_good_as_the_best_are_stopped(
    price: float, gains: float, losses: float
) -> None:
    """A share of questions ``gains`` by what is paid for on all; docs/tuning.md has the 7 %."""
    assert share_stopped(price, gains, losses, looks=(10, 20, 40, 80)) <= 0.075
    assert share_stopped(price, gains, losses, looks=(10,)) <= 0.05


def test_few_of_them_are_stopped_by_the_looks_at_a_thousand_questions() -> None:
    looks = (10, 20, 40, 80, 160, 320, 640)
    assert share_stopped(0.05, 0.05, 0.0, looks, n_trials=500) <= 0.11


def test_trials_that_are_worse_are_stopped_early() -> None:
    assert share_stopped(0.44, 0.1, 0.1, looks=(10, 20)) >= 0.9
    assert share_stopped(0.26, 0.1, 0.1, looks=(10, 20, 40)) >= 0.9
    assert share_stopped(0.11, 0.05, 0.05, looks=(10, 20, 40, 80)) >= 0.8


def share_stopped(
    price: float, gains: float, losses: float, looks: Sequence[int], n_trials: int = 1000
) -> float:
    """Of trials that pay ``price`` on each question, and are right where the leader is wrong, or
    the other way round, on these shares of questions."""
    objective = Utility(Valuation(Prices(price or 0.1, 0.02), mu=1.0))
    generator = np.random.default_rng(1)
    leader_right, leader_wrong = row(0, True), row(0, False)
    right, wrong = row(0, True, price > 0), row(0, False, price > 0)

    @cache
    def is_stopped(n: int, n_gained: int, n_lost: int) -> bool:
        n_same = n - n_gained - n_lost
        leader = [leader_wrong] * n_gained + [leader_right] * n_lost + [leader_wrong] * n_same
        own = [right] * n_gained + [wrong] * (n_lost + n_same)
        return is_clearly_worse(objective, own, [[*leader, leader_wrong]])

    n_stopped = 0
    for _ in range(n_trials):
        n_gained = n_lost = n = 0
        for look in looks:
            gained, lost, _ = generator.multinomial(look - n, [gains, losses, 1 - gains - losses])
            n, n_gained, n_lost = look, n_gained + int(gained), n_lost + int(lost)
            if is_stopped(n, n_gained, n_lost):
                n_stopped += 1
                break
    return n_stopped / n_trials


def test_with_two_values_only_a_dominated_region_is_stopped() -> None:
    objective = AccuracyCost(VALUATION)
    cheap_and_right = rows([True] * 40)
    assert is_clearly_worse(objective, rows([False] * 20, n_retrieve=1), [cheap_and_right])
    # Cheaper than the other: however wrong, it may belong to the front.
    dear_and_right = rows([True] * 40, n_retrieve=1)
    assert not is_clearly_worse(objective, rows([False] * 20), [dear_and_right])
    # At the same cost.
    assert is_clearly_worse(objective, rows([False] * 20, n_retrieve=1), [dear_and_right])


@pytest.mark.parametrize("objective", [AccuracyCost(VALUATION), EveryPrice(VALUATION)])
def test_equal_answers_at_a_higher_cost_may_still_belong_to_the_front(
    objective: Objective,
) -> None:
    """The questions to come may be those that it is right on."""
    answers = [index % 3 == 0 for index in range(40)]
    assert not is_clearly_worse(objective, rows(answers[:20], n_retrieve=1), [rows(answers)])
    some_wrong = [correct and index > 20 for index, correct in enumerate(answers)]
    assert is_clearly_worse(objective, rows(some_wrong, n_retrieve=1), [rows(answers)])


def test_few_members_of_a_front_are_stopped() -> None:
    """At 0.1 more for 10 % more right answers; dearer trials that lose answers are stopped."""
    assert share_of_front_stopped(gains=0.1, losses=0.0) <= 0.05
    assert share_of_front_stopped(gains=0.1, losses=0.1) <= 0.075
    assert share_of_front_stopped(gains=0.0, losses=0.2) >= 0.9


def share_of_front_stopped(gains: float, losses: float) -> float:
    objective = AccuracyCost(VALUATION)
    generator = np.random.default_rng(1)
    n_stopped = 0
    for _ in range(100):
        draws = generator.random(100)
        leader = rows(list((draws < losses) | (draws > 0.8)))
        own = rows(list(((draws >= losses) & (draws < losses + gains)) | (draws > 0.8)), 1)
        n_stopped += any(is_clearly_worse(objective, own[:n], [leader]) for n in (10, 20, 40, 80))
    return n_stopped / 100


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
