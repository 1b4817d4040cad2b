"""RASER: when one retrieval's answer is not the last."""

import random
from dataclasses import replace

import pytest
from builders.explored_nodes import calibration, node

from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import State, required_probes_of
from argo_ml.policies.gates.raser import raser
from argo_ml.testing.calibrations import OPEN_WORLD
from argo_ml.types import Action

RNG = random.Random(0)


def context(price: float) -> PolicyContext:
    return PolicyContext(solve(MDPSpec(price)), calibration=OPEN_WORLD.calibration)


def after_one() -> State:
    return OPEN_WORLD.state(OPEN_WORLD.questions[0], (Action.RETRIEVE,))


def test_every_question_has_one_retrieval_and_none_has_three() -> None:
    policy = raser(context(0.02))
    twice = OPEN_WORLD.state(OPEN_WORLD.questions[0], (Action.RETRIEVE,) * 2)

    assert policy.decide(State(OPEN_WORLD.questions[0]), RNG).action is Action.RETRIEVE
    assert policy.decide(twice, RNG).action is Action.STOP
    assert required_probes_of(policy)(State(OPEN_WORLD.questions[0])) == frozenset()


def test_second_retrieval_is_taken_where_its_gain_exceeds_the_price() -> None:
    free, dear = raser(context(0.0001)), raser(context(2.0))
    expected = dear.decide(after_one(), RNG)
    assert expected.action is Action.STOP

    sure_to_gain = replace(free, price=-1.0)
    decision = sure_to_gain.decide(after_one(), RNG)
    assert decision.action is Action.RETRIEVE
    assert decision.expected.gain is not None and decision.expected.gain > 0


def test_calibration_of_one_step_says_what_to_run() -> None:
    one_step = calibration([node(0, "", True), node(0, "r", True)])
    with pytest.raises(ConfigError, match=r"raser needs histories explored to 2 steps"):
        raser(replace(context(0.1), calibration=one_step))


def test_calibration_without_the_features_says_what_to_run() -> None:
    known = OPEN_WORLD.calibration
    earlier = known.model_copy(update={"feature_names": known.feature_names[:20]})
    message = (
        "raser needs the features answer_words, answer_doubts, answer_in_question, and this "
        ".* argo-ml calibrate --max_steps 2"
    )
    with pytest.raises(ConfigError, match=message):
        raser(replace(context(0.1), calibration=earlier))
