"""The estimated process by hand, and the policies that come of it."""

from __future__ import annotations

import numpy as np
import pytest
from builders.explored_nodes import node

from argo_ml.calibration.exploration import Exploration
from argo_ml.policies.argo_calibrated import (
    SMOOTHING,
    Process,
    Values,
    bucket_bounds,
    estimate_process,
)
from argo_ml.policies.argo_fitted import fit_gains
from argo_ml.types import Action, Prices

ROOT = (0, 0)
SEEN = {
    # 90 of 100 retrievals raise a low p-hat, and none lowers a high one; reasoning does nothing.
    (Action.RETRIEVE, ROOT): np.array([[1000.0, 9000.0], [0.0, 10000.0]]),
    (Action.REASON, ROOT): np.array([[10000.0, 0.0], [0.0, 10000.0]]),
}
PROCESS = Process(bounds=(0.5,), rewards=np.array([0.2, 0.9]), seen=SEEN)


def test_one_step_by_hand() -> None:
    table = PROCESS.solve(Prices(retrieve=0.1, reason=0.02), horizon=1)
    low, high = table[ROOT]
    # 0.1 x 0.2 + 0.9 x 0.9 - 0.1; smoothing adds 8 to 10,000.
    assert low.retrieve == pytest.approx(0.73, abs=1e-3)
    assert low.reason == pytest.approx(0.2 - 0.02, abs=1e-3)
    assert (low.best, high.best) == (Action.RETRIEVE, Action.STOP)
    assert low.gain == pytest.approx(0.53, abs=1e-3)
    assert high.gain == 0.0


def test_a_price_above_the_gain_stops() -> None:
    [low, _] = PROCESS.solve(Prices(retrieve=0.65, reason=0.02), horizon=1)[ROOT]
    assert low.best is Action.STOP


def test_the_price_of_looking_counts_for_every_action() -> None:
    prices = Prices(retrieve=0.1, reason=0.02, probe=0.05)
    [low, _] = PROCESS.solve(prices, horizon=1)[ROOT]
    assert low.retrieve == pytest.approx(0.68, abs=1e-3)
    assert low.reason == pytest.approx(0.13, abs=1e-3)


def test_two_steps_try_again_where_the_first_failed() -> None:
    table = PROCESS.solve(Prices(retrieve=0.1, reason=0.02), horizon=2)
    # After a failure: the same again, worth 0.73, though it was never seen there.
    assert table[1, 0][0].retrieve == pytest.approx(0.73, abs=0.01)
    assert table[ROOT][0].retrieve == pytest.approx(0.1 * 0.73 + 0.9 * 0.9 - 0.1, abs=0.01)


def test_where_nothing_was_seen_the_distribution_is_that_of_the_coarser_state() -> None:
    found = PROCESS.transitions(Action.RETRIEVE, (3, 3))
    assert found[0] == pytest.approx([0.1, 0.9], abs=1e-3)
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0])


def test_few_transitions_lean_on_the_coarser_state() -> None:
    seen = {**SEEN, (Action.RETRIEVE, (1, 0)): np.array([[SMOOTHING, 0.0], [0.0, 0.0]])}
    process = Process((0.5,), np.array([0.2, 0.9]), seen)
    # As many of its own, which all stayed, as the prior counts for.
    stays = process.transitions(Action.RETRIEVE, (1, 0))[0][0]
    assert stays == pytest.approx((1 + 0.1) / 2, abs=1e-2)


def test_what_nobody_did_is_no_way_of_waiting_for_better_retrievals() -> None:
    # First retrievals raise a low p-hat in a quarter of the cases, second ones in 60 %.
    seen = {
        (Action.RETRIEVE, ROOT): np.array([[300.0, 100.0], [0.0, 400.0]]),
        (Action.RETRIEVE, (1, 0)): np.array([[240.0, 360.0], [0.0, 400.0]]),
    }
    process = Process(bounds=(0.5,), rewards=np.array([0.2, 0.8]), seen=seen)
    table = process.solve(Prices(retrieve=0.24, reason=0.02), horizon=2)
    for values in (own for row in table.values() for own in row):
        assert values.best is not Action.REASON
        assert values.reason == -np.inf


def test_of_equal_values_stopping_comes_first_then_reasoning() -> None:
    assert Values(0.5, 0.5, 0.5).best is Action.STOP
    assert Values(0.4, 0.5, 0.5).best is Action.REASON


def test_buckets_are_wide_where_there_are_few_values() -> None:
    values = np.concatenate([np.full(30, 0.05), np.full(10, 0.35), np.full(30, 0.75)])
    assert bucket_bounds(values) == (0.1,)
    assert bucket_bounds(np.full(100, 0.3)) == ()


def explored(steps: dict[str, tuple[float, bool]], n_questions: int) -> Exploration:
    """Every question the same: confidence and correctness by actions such as ``rp``."""
    return Exploration.of(
        node(question, letters, correct, confidence)
        for question in range(n_questions)
        for letters, (confidence, correct) in steps.items()
    )


def test_transitions_are_counted_from_the_explored_histories() -> None:
    steps = {"": (0.2, False), "r": (0.8, True), "p": (0.2, False), "rr": (0.8, True)}
    process = estimate_process(explored(steps, n_questions=40))
    low, high = 0, len(process.rewards) - 1
    # 80 states of p-hat 0.2 that are all wrong, 80 of 0.8 that are all right.
    assert process.rewards[low] == pytest.approx(SMOOTHING * 0.2 / (80 + SMOOTHING))
    assert process.rewards[high] == pytest.approx((80 + SMOOTHING * 0.8) / (80 + SMOOTHING))
    assert process.seen[Action.RETRIEVE, (0, 0)][low, high] == 40
    assert process.seen[Action.RETRIEVE, (1, 0)][high, high] == 40
    assert process.seen[Action.REASON, (0, 0)][low, low] == 40


def test_a_fitted_benefit_is_what_the_step_adds_and_what_acting_on_is_worth() -> None:
    # The first retrieval alone changes nothing, the second one makes the answer right.
    steps = {"": (0.2, False), "r": (0.2, False), "rr": (0.9, True), "p": (0.2, False)}
    prices = Prices(retrieve=0.1, reason=0.02)
    first, second = fit_gains(explored(steps, 20), prices, horizon=2, gamma=1.0)
    assert second.retrieve.value((0.2,)) == pytest.approx(1.0)
    assert first.retrieve.value((0.2,)) == pytest.approx(1.0 - 0.1)
    # Its features do not tell that reasoning was first, so that the second step is worth the same.
    assert first.reason.value((0.2,)) == pytest.approx(0.0 + 0.9)
    discounted, _ = fit_gains(explored(steps, 20), prices, horizon=2, gamma=0.5)
    assert discounted.retrieve.value((0.2,)) == pytest.approx(0.5 * 0.9)


def test_what_was_never_explored_is_never_taken() -> None:
    gains = fit_gains(explored({"": (0.2, False)}, 20), Prices(0.1, 0.02), 1, 1.0)
    assert max(gains[0].net((0.2,), Prices(0.001, 0.001)).values()) < 0
