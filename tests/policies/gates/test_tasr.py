import math
import random
from dataclasses import replace

import pytest

from argo_ml.calibration.features import FEATURES
from argo_ml.calibration.node import Node
from argo_ml.calibration.record import Calibration
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import AnswerNow, Decision, Observations, Probe, State
from argo_ml.policies.gates.tasr import (
    Round,
    Tasr,
    best_threshold,
    fit_points,
    interpolated,
    stop_at,
    tasr,
)
from argo_ml.testing.calibrations import recorded_calibration, seen_question
from argo_ml.types import Action, Answer, Expectation, Question, Step, StopReason

RNG = random.Random(0)
QUESTION = Question(id="q", text="Which?", choices=("a", "b"))
STEP = Step("sub-question", Action.RETRIEVE, "sub-answer", 0.25, cost=0.1)
POINTS = ((0.0, 0.0), (1.0, 1.0))


def answered(*firsts: float) -> State:
    """Before each step, and now, the first of two choices had these probabilities."""
    answers = tuple(
        AnswerNow(Answer("a" if p > 0.5 else "b", int(p <= 0.5)), (p, 1.0 - p)) for p in firsts
    )
    steps = (STEP,) * (len(firsts) - 1)
    return State(QUESTION, steps=steps, observations=Observations(answers=answers))


def stops(policy: Tasr, *firsts: float) -> bool:
    return policy.decide(answered(*firsts), RNG).action is Action.STOP


def node(question: int, n_retrieved: int, agrees: bool, margin: float, correct: bool) -> Node:
    values = {"agreement": float(agrees), "margin": margin}
    return Node(
        question=question,
        actions=("retrieve",) * n_retrieved,
        features=tuple(values.get(name, 0.0) for name in FEATURES),
        correct=correct,
        confidence=0.5,
    )


def explored() -> Calibration:
    """Both are right after one retrieval and sure of it; a second one changes nothing."""
    nodes = [
        each
        for question in (0, 1)
        for each in (
            node(question, 0, agrees=False, margin=0.2, correct=False),
            node(question, 1, agrees=True, margin=0.8, correct=True),
            node(question, 2, agrees=True, margin=0.8, correct=True),
        )
    ]
    return recorded_calibration([seen_question({}), seen_question({})], nodes, horizon=2)


def test_looks_at_the_answer_at_every_step() -> None:
    assert Tasr(POINTS, 0.25, 5).required_probes(answered(0.9, 0.9)) == {Probe.ANSWER}


def test_stops_where_the_answer_repeats_itself_and_is_sure_enough() -> None:
    policy = Tasr(POINTS, threshold=0.25, horizon=5)
    assert stops(policy, 0.6, 0.75)
    # p(1) - p(2) is 0.25 and does not exceed it.
    assert not stops(policy, 0.6, 0.625)
    # Another answer than before, however sure.
    assert not stops(policy, 0.4, 0.99)


def test_never_stops_before_a_retrieval() -> None:
    decision = Tasr(POINTS, threshold=0.25, horizon=5).decide(answered(0.75), RNG)
    assert decision == Decision(Action.RETRIEVE, expected=Expectation(confidence=0.5))


def test_a_choice_that_changed_once_may_repeat_itself_later() -> None:
    assert stops(Tasr(POINTS, 0.25, 5), 0.6, 0.1, 0.1)


def test_stops_where_nothing_further_was_explored() -> None:
    decision = Tasr(POINTS, threshold=1.0, horizon=1).decide(answered(0.9, 0.1), RNG)
    assert decision.stop_reason is StopReason.POLICY
    assert decision.expected.confidence == pytest.approx(0.8)


def test_margins_are_calibrated_by_isotonic_regression() -> None:
    points = fit_points([0.1, 0.2, 0.3, 0.4], [False, True, False, True])
    # The middle two are pooled.
    values = [interpolated(points, margin) for margin in (0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 1.0)]
    assert values == pytest.approx([0.0, 0.0, 0.5, 0.5, 0.5, 0.75, 1.0, 1.0])


ROUNDS = (
    [Round(False, 0.9, False), Round(True, 0.3, False), Round(True, 0.9, True)],
    [Round(False, 0.9, False), Round(True, 0.6, True), Round(True, 0.6, True)],
)


def test_rule_stops_at_the_first_round_that_settles_it() -> None:
    assert [stop_at(path, 0.25, horizon=2) for path in ROUNDS] == [1, 1]
    assert [stop_at(path, 0.5, horizon=2) for path in ROUNDS] == [2, 1]
    assert [stop_at(path, 0.95, horizon=2) for path in ROUNDS] == [2, 2]
    assert [stop_at(path, 0.95, horizon=1) for path in ROUNDS] == [1, 1]


def test_threshold_is_what_pays_best_along_the_explored_paths() -> None:
    # From 0.3 on: both right after 2 and 1 retrievals. Below: one right, after 1 each.
    assert best_threshold(ROUNDS, horizon=2, price=0.1) == 0.3
    # A second retrieval costs more than the answer that it makes right.
    assert best_threshold(ROUNDS, horizon=2, price=1.5) == -math.inf


def test_of_equally_good_thresholds_the_one_that_retrieves_least() -> None:
    assert best_threshold(ROUNDS, horizon=1, price=0.1) == -math.inf


def test_is_calibrated_on_the_histories_that_only_retrieve() -> None:
    context = PolicyContext(solve(MDPSpec(retrieval_cost=0.1)), calibration=explored())
    policy = tasr(context)
    assert policy == Tasr(((0.2, 0.0), (0.8, 1.0)), threshold=-math.inf, horizon=2)
    assert tasr(replace(context, max_steps=1)).horizon == 1


def test_paths_end_where_other_actions_come_in() -> None:
    calibration = explored()
    others = [
        each.model_copy(update={"actions": ("reason", *each.actions)}) for each in calibration.nodes
    ]
    mixed = calibration.model_copy(update={"nodes": (*calibration.nodes, *others)})
    paths = mixed.exploration.retrieving_paths
    assert [[len(each.actions) for each in path] for path in paths] == [[0, 1, 2], [0, 1, 2]]
    assert all("reason" not in each.actions for path in paths for each in path)


def test_a_replay_without_explored_histories_is_refused() -> None:
    roots = [node(0, 0, agrees=False, margin=0.2, correct=False)]
    calibration = recorded_calibration([seen_question({"none": False, "retrieve": True})], roots)
    context = PolicyContext(solve(MDPSpec(retrieval_cost=0.1)), calibration=calibration)
    with pytest.raises(ConfigError, match="strategy=tasr needs histories explored to 1 steps"):
        tasr(context)
