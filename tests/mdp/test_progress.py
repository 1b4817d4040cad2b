import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.mdp.progress import MAX_STATES, FixedGains, transitions
from argo_ml.types import Action

SUCCESSES = st.lists(st.sampled_from([Action.RETRIEVE, Action.REASON]), max_size=40)
GAINS = st.builds(
    FixedGains,
    st.floats(0.02, 1.5, allow_nan=False),
    st.floats(0.02, 1.5, allow_nan=False),
    st.sampled_from([1.0, 0.7, 1.3]),
)


def advanced(gains: FixedGains, actions: list[Action]) -> float:
    progress = 0.0
    for action in actions:
        progress = gains.advance(progress, action, succeeded=True)
    return progress


def test_thirteen_reasoning_steps_of_eight_hundredths_reach_exactly_one() -> None:
    gains = FixedGains(0.25, 0.08, 1.0)
    assert advanced(gains, [Action.REASON] * 12) == 0.96
    assert advanced(gains, [Action.REASON] * 13) == 1.0


def test_ten_steps_of_a_tenth_reach_exactly_one() -> None:
    assert advanced(FixedGains(0.1, 0.3, 1.0), [Action.RETRIEVE] * 10) == 1.0


def test_three_thirds_reach_one_although_a_third_has_no_digits() -> None:
    assert advanced(FixedGains(1 / 3, 0.08, 1.0), [Action.RETRIEVE] * 3) == 1.0


def test_failure_adds_nothing() -> None:
    assert FixedGains(0.25, 0.08, 1.0).advance(0.33, Action.RETRIEVE, succeeded=False) == 0.33


def test_progress_ends_at_u_max() -> None:
    gains = FixedGains(0.25, 0.08, 0.9)
    assert gains.advance(0.8, Action.RETRIEVE, succeeded=True) == 0.9
    assert gains.advance(0.9, Action.REASON, succeeded=True) == 0.9


@given(GAINS, SUCCESSES, st.randoms(use_true_random=False))
def test_progress_does_not_depend_on_the_order_of_steps(
    gains: FixedGains, actions: list[Action], rng: random.Random
) -> None:
    shuffled = rng.sample(actions, len(actions))
    assert advanced(gains, actions) == advanced(gains, shuffled)


@given(GAINS, SUCCESSES)
def test_progress_is_the_sum_of_gains_up_to_u_max(gains: FixedGains, actions: list[Action]) -> None:
    n_retrieve = actions.count(Action.RETRIEVE)
    exact = Fraction(gains.delta_r) * n_retrieve + Fraction(gains.delta_p) * (
        len(actions) - n_retrieve
    )
    expected = float(min(exact, Fraction(gains.u_max)))
    assert advanced(gains, actions) == pytest.approx(expected, abs=2e-9)


@given(GAINS, SUCCESSES)
def test_every_progress_of_an_episode_is_a_state(gains: FixedGains, actions: list[Action]) -> None:
    assert advanced(gains, actions) in transitions(gains)


def test_states_of_a_small_process_are_listed_in_order() -> None:
    states = transitions(FixedGains(0.5, 0.4, 1.0))
    assert list(states) == [0.0, 0.4, 0.5, 0.8, 0.9, 1.0]
    assert (states[0.4].retrieve, states[0.4].reason) == (0.9, 0.8)
    assert (states[1.0].retrieve, states[1.0].reason) == (1.0, 1.0)


def test_scale_of_progress_does_not_matter() -> None:
    small, large = FixedGains(2.5e-7, 8e-8, 1e-6), FixedGains(250.0, 80.0, 1000.0)
    assert len(transitions(small)) == len(transitions(large)) == 35
    assert list(transitions(large))[:4] == [0.0, 80.0, 160.0, 240.0]


def test_gains_of_four_digits_never_have_too_many_states() -> None:
    assert len(transitions(FixedGains(0.0003, 0.0001, 1.0))) == MAX_STATES


def test_too_many_states_are_refused_with_gains_that_work() -> None:
    gains = FixedGains(0.0137771, 0.0023112, 1.0)
    with pytest.raises(ValueError, match=r"delta_r=0\.0138, delta_p=0\.0023 works"):
        transitions(gains)
    assert len(transitions(gains.coarser())) <= MAX_STATES


def test_gain_below_the_smallest_is_named() -> None:
    with pytest.raises(ValueError, match=r"delta_p=1e-05 must be at least 0\.0001 for u_max=1\.0"):
        FixedGains(0.25, 1e-5, 1.0)


def test_stopping_moves_no_progress() -> None:
    with pytest.raises(KeyError):
        FixedGains(0.25, 0.08, 1.0).advance(0.0, Action.STOP, succeeded=True)
