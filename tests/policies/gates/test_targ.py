"""The three gates of TARG."""

import math

import pytest

from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Probe, State
from argo_ml.policies.gates.base import Gate, Signal
from argo_ml.policies.gates.entropy_gate import Entropy, entropy_gate
from argo_ml.policies.gates.margin_gate import Closeness, margin_gate
from argo_ml.policies.gates.variance_gate import Disagreement, variance_gate
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Question

SIGNALS = (Entropy(), Closeness(), Disagreement())
OPEN = Question(id="open", text="What?")
CHOICES = Question(id="choices", text="Which?", choices=("a", "b", "c"))
# Text, log-probability, entropy, gap.
TOKENS = (
    ("Pa", math.log(0.9), 1.0, math.log(2.0)),
    ("ris", math.log(0.5), 3.0, math.log(4.0)),
)


def scored(*probabilities: float) -> State:
    return seen_question({}, probabilities=probabilities).state()


def numbered(*tokens: tuple[str, float, float, float]) -> State:
    """Choices answered by number, without scores."""
    return seen_question({}, choices=("a", "b"), tokens=tokens).state()


def drafted(*tokens: tuple[str, float, float, float]) -> State:
    return seen_question({}, draft=tokens).state()


@pytest.mark.parametrize(
    ("signal", "look"),
    [(Entropy(), Probe.DRAFT), (Closeness(), Probe.DRAFT), (Disagreement(), Probe.SAMPLES)],
)
def test_drafts_are_for_questions_without_choices_alone(signal: Signal, look: Probe) -> None:
    assert signal.required_probes(OPEN) == {look}
    assert signal.required_probes(CHOICES) == {Probe.ANSWER}


def test_entropy_is_the_mean_over_the_draft_s_tokens() -> None:
    assert Entropy().read(drafted(*TOKENS)).score == 2.0


def test_entropy_of_choices_is_that_of_their_distribution() -> None:
    # 0.5 ln 2 + 2 * 0.25 ln 4 = 1.5 ln 2.
    assert Entropy().read(scored(0.5, 0.25, 0.25)).score == pytest.approx(1.5 * math.log(2.0))


def test_entropy_of_a_choice_answered_by_number_is_that_of_its_tokens() -> None:
    assert Entropy().read(numbered(*TOKENS)).score == 2.0


def test_a_draft_without_tokens_is_as_unsure_as_can_be() -> None:
    assert Entropy().read(drafted()).score == 20.0
    assert Closeness().read(drafted()).score == 1.0


def test_margin_is_the_mean_of_exp_of_minus_the_gap() -> None:
    assert Closeness().read(drafted(*TOKENS)).score == pytest.approx((0.5 + 0.25) / 2)


def test_margin_of_choices_is_the_second_probability_over_the_first() -> None:
    assert Closeness().read(scored(0.1, 0.4, 0.5)).score == pytest.approx(0.8)


def test_margin_of_a_choice_answered_by_number_is_that_of_its_tokens() -> None:
    assert Closeness().read(numbered(*TOKENS)).score == pytest.approx(0.375)


def test_variance_is_the_share_of_pairs_of_samples_that_differ() -> None:
    state = seen_question({}, samples=("Paris", " paris", "Lima")).state()
    assert Disagreement().read(state).score == pytest.approx(2 / 3)


def test_variance_of_choices_is_the_probability_that_two_draws_differ() -> None:
    assert Disagreement().read(scored(0.6, 0.3, 0.1)).score == pytest.approx(0.54)


def test_variance_of_a_choice_answered_by_number_is_the_doubt_in_it() -> None:
    # 1 - 0.9 * 0.5.
    assert Disagreement().read(numbered(*TOKENS)).score == pytest.approx(0.55)
    assert Disagreement().read(numbered()).score == 1.0


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("question", [OPEN, CHOICES])
def test_what_was_not_looked_at_is_named(signal: Signal, question: Question) -> None:
    with pytest.raises(ConfigError, match=rf"question '{question.id}': its .* not probed"):
        signal.read(State(question))


def gates_of(context: PolicyContext) -> list[Gate]:
    return [entropy_gate(context), margin_gate(context), variance_gate(context)]


def test_threshold_separates_those_that_retrieval_helps() -> None:
    sure = seen_question({"none": True, "retrieve": False}, probabilities=(0.9, 0.1))
    unsure = seen_question({"none": False, "retrieve": True}, probabilities=(0.5, 0.5))
    solution = solve(MDPSpec(retrieval_cost=0.1))
    calibrated = PolicyContext(solution, calibration=recorded_calibration([sure, unsure]))
    for gate in gates_of(calibrated):
        assert (
            gate.signal.read(sure.state()).score
            < gate.threshold
            < gate.signal.read(unsure.state()).score
        )
