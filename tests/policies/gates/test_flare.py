import math
import random
from dataclasses import replace

import pytest

from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Decision, Draft, Observations, Probe, State
from argo_ml.policies.gates.flare import Flare, flare, masked
from argo_ml.policies.parameters import GateParameters
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Action, Question, Step, StopReason, TokenDetail

RNG = random.Random(0)
QUESTION = Question(id="q", text="Where is it?")
STEP = Step("sub-question", Action.RETRIEVE, "sub-answer", 0.25, cost=0.1)


def sentence(*tokens: tuple[str, float]) -> Draft:
    """Of (text, probability) pairs."""
    details = tuple(TokenDetail(text, math.log(p), 0.0, 0.0) for text, p in tokens)
    return Draft("".join(text for text, _ in tokens), details)


def tentative(*tokens: tuple[str, float]) -> State:
    return State(QUESTION, observations=Observations(tentative=sentence(*tokens)))


IN_PARIS = (("It", 0.9), (" is", 0.75), (" in", 0.5), (" Par", 0.3), ("is", 0.99), (".", 0.8))


def test_looks_at_the_next_sentence_before_every_step() -> None:
    for state in (State(QUESTION), State(QUESTION, steps=(STEP, STEP))):
        assert Flare(0.5).required_probes(state) == {Probe.TENTATIVE}


def test_retrieves_where_the_least_probable_token_is_not_above_theta() -> None:
    # theta = 0.3, of which " Par" has just enough.
    decision = Flare(threshold=0.7).decide(tentative(*IN_PARIS), RNG)
    assert decision.action is Action.RETRIEVE
    assert decision.query == "It is in is."
    assert decision.expected.score == pytest.approx(0.7)


def test_keeps_retrieving_after_steps() -> None:
    state = replace(tentative(*IN_PARIS), steps=(STEP,) * 5)
    assert Flare(threshold=0.5).decide(state, RNG).action is Action.RETRIEVE


def test_stops_where_every_token_is_probable_enough() -> None:
    decision = Flare(threshold=0.75).decide(tentative(*IN_PARIS), RNG)
    assert decision.stop_reason is StopReason.POLICY
    assert decision.expected.score == pytest.approx(0.7)


def test_stops_at_the_step_limit_where_there_is_no_next_sentence() -> None:
    state = State(QUESTION, steps=(STEP,))
    assert Flare(threshold=0.0).decide(state, RNG) == Decision(Action.STOP, StopReason.LIMIT)


def test_query_leaves_out_the_tokens_that_are_not_above_beta() -> None:
    assert masked(sentence(*IN_PARIS), beta=0.4) == "It is in is."
    assert masked(sentence(*IN_PARIS), beta=0.5) == "It is is."
    assert masked(sentence(*IN_PARIS), beta=0.0) == "It is in Paris."


def test_without_a_word_left_the_sub_question_is_asked() -> None:
    assert masked(sentence(("Par", 0.1), ("is", 0.2), (".", 0.9)), beta=0.4) is None
    assert masked(sentence(), beta=0.4) is None


def test_theta_separates_those_that_retrieval_helps() -> None:
    sure = seen_question(
        {"none": True, "retrieve": True}, tentative=[("yes", math.log(0.8), 0.0, 0.0)]
    )
    unsure = seen_question(
        {"none": False, "retrieve": True}, tentative=[("no", math.log(0.4), 0.0, 0.0)]
    )
    context = PolicyContext(
        solve(MDPSpec(retrieval_cost=0.1)), calibration=recorded_calibration([sure, unsure])
    )
    # Scores 0.2 and 0.6, benefits 0 and 1.
    assert flare(context).threshold == pytest.approx(0.2 + 0.1 * 0.4)
    assert flare(
        replace(context, parameters=GateParameters(gate_budget=0.5))
    ).threshold == pytest.approx(0.6)


def test_calibration_without_tentative_sentences_is_refused() -> None:
    calibration = recorded_calibration([seen_question({"none": True, "retrieve": True})])
    context = PolicyContext(solve(MDPSpec(retrieval_cost=0.1)), calibration=calibration)
    with pytest.raises(ConfigError, match="its tentative sentence was not probed"):
        flare(context)
