from __future__ import annotations

import math
from typing import Any

import pytest

from argo_ml.config import SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import PolicyContext
from argo_ml.policies.base import Probe
from argo_ml.policies.checking import check_strategies
from argo_ml.policies.gates.base import Gate
from argo_ml.policies.gates.certified import least_score
from argo_ml.policies.gates.entropy_gate import entropy_gate
from argo_ml.policies.gates.graded import graded
from argo_ml.policies.gates.max_prob_gate import max_prob_gate
from argo_ml.policies.parameters import GateParameters, GradedParameters
from argo_ml.randomness import derived_rng
from argo_ml.testing.calibrations import World
from argo_ml.types import Action, StopReason

WORLD = World(n_questions=300)


def gate(**settings: Any) -> Gate:
    parameters = GateParameters(**settings)
    return max_prob_gate(
        PolicyContext(solve(MDPSpec(retrieval_cost=0.1)), parameters, calibration=WORLD.calibration)
    )


def test_without_a_guarantee_every_answer_is_given() -> None:
    assert gate().trust is None


def test_answers_that_are_given_keep_the_promised_error_on_other_questions() -> None:
    own, world = gate(guarantee="error among answered <= 0.3"), World(n_questions=400, seed=5)
    given = []
    for question in world.questions:
        actions: tuple[Action, ...] = ()
        decision = own.decide(world.state(question, actions), derived_rng(0))
        if decision.action is Action.RETRIEVE:
            actions = (Action.RETRIEVE,)
            decision = own.decide(world.state(question, actions), derived_rng(0))
        if decision.stop_reason is not StopReason.ABSTAIN:
            given.append(world.is_right(question, world.answer(question, actions)))

    assert 50 < len(given) < 400
    assert given.count(False) / len(given) <= 0.3


def test_looks_at_answers_that_it_may_withhold_are_paid_where_it_retrieves() -> None:
    parameters = GateParameters(guarantee="error among answered <= 0.6")
    world = World(has_choices=False, n_questions=300)

    def promised(retrieval_cost: float, probe_cost: float) -> Gate:
        solution = solve(MDPSpec(retrieval_cost=retrieval_cost))
        return entropy_gate(
            PolicyContext(
                solution, parameters, probe_cost=probe_cost, calibration=world.calibration
            )
        )

    looking, plain = promised(0.1, probe_cost=0.1), promised(0.2, probe_cost=0.0)
    assert (looking.threshold, looking.price) == pytest.approx((plain.threshold, plain.price))


def test_it_looks_at_every_answer_that_it_may_withhold() -> None:
    own, question = gate(guarantee="error among answered <= 0.3"), WORLD.questions[0]

    assert Probe.ANSWER in own.required_probes(WORLD.state(question, (Action.RETRIEVE,)))


def test_promise_that_no_threshold_keeps_says_what_would_do() -> None:
    with pytest.raises(
        ConfigError,
        match=r"guarantee=error among answered <= 0\.01: no threshold of p-hat keeps it with "
        r"delta=0\.05 on 300 calibration questions; needs .*, or ≤ 0\.\d\d$",
    ):
        gate(guarantee="error among answered <= 0.01")


def test_promised_retrievals_are_never_more_than_pay() -> None:
    free, promised = gate(), gate(guarantee="share of retrievals <= 0.2")
    n_retrieved = sum(score >= promised.threshold for score in promised.calibration_scores)

    assert promised.threshold >= free.threshold
    # P(Bin(300, 0.2) <= 48) = 0.046 and P(Bin(300, 0.2) <= 49) = 0.063.
    assert n_retrieved <= 48


def test_promised_retrievals_hold_for_the_model_that_decides_too() -> None:
    promised = gate(guarantee="share of retrievals <= 0.2")
    scores = [
        promised.signal.read(question.state()).score for question in WORLD.calibration.questions
    ]

    assert scores != list(promised.calibration_scores)
    assert sum(score >= promised.threshold for score in scores) <= 48


def test_of_two_sets_of_scores_the_threshold_is_the_higher() -> None:
    context = PolicyContext(
        solve(MDPSpec(retrieval_cost=0.1)),
        GateParameters(guarantee="share of retrievals <= 0.5"),
        calibration=WORLD.calibration,
    )
    low, high = [n / 300 for n in range(300)], [1 + n / 300 for n in range(300)]

    assert least_score(context, low, lambda: high) == least_score(context, high, lambda: low) > 1.4


def test_promise_of_hardly_any_retrieval_needs_more_questions_than_there_are() -> None:
    assert gate(guarantee="share of retrievals <= 0.005").threshold == math.inf


def test_graded_promises_nothing() -> None:
    parameters = GradedParameters(guarantee="error among answered <= 0.2")
    context = PolicyContext(
        solve(MDPSpec(retrieval_cost=0.1)), parameters, calibration=WORLD.calibration
    )

    with pytest.raises(ConfigError, match="graded promises nothing; use max_prob_gate"):
        graded(context)


@pytest.mark.parametrize(
    ("guarantee", "message"),
    [
        ("speed <= 2", "promises nothing that is known; write error among answered <= 0.2, or"),
        ("error among answered <= 2", "2 is no share; write one between 0 and 1"),
        ("error among answered <= 0.1.2", "0.1.2 is no share; write one between 0 and 1"),
    ],
)
def test_guarantee_that_cannot_be_read_says_what_would_be_one(guarantee: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(SweepSpec, {"guarantee": guarantee})


def test_guarantee_without_a_gate_to_keep_it_is_refused() -> None:
    spec = build(SweepSpec, {"guarantee": "share of retrievals <= 0.2"})

    with pytest.raises(ConfigError, match=r"none of strategies=never,single has a threshold"):
        check_strategies(["never", "single"], spec)


def test_what_is_stored_without_a_guarantee_is_what_it_was() -> None:
    assert "guarantee" not in SweepSpec().model_dump(mode="json")
    assert "delta" not in SweepSpec().model_dump(mode="json")
    promised = build(SweepSpec, {"guarantee": "share of retrievals ≤ 0.2", "delta": 0.1})
    assert promised.model_dump(mode="json")["delta"] == 0.1
