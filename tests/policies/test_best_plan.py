"""Walking explored histories by hand, and when the question is worth looking at."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from builders.explored_nodes import calibration, node

from argo_ml.calibration import Node
from argo_ml.calibration.exploration import Exploration
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies.argo_calibrated import argo_calibrated
from argo_ml.policies.argo_fitted import argo_fitted
from argo_ml.policies.base import Policy, State, required_probes_of
from argo_ml.policies.best_plan import (
    BestPlan,
    Deciding,
    best_paying,
    best_plan,
    earned,
    follow_best_plan,
)
from argo_ml.policies.context import PolicyContext
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Prices, Question

PRICES = Prices(retrieve=0.2, reason=0.02)
STATE = State(Question(id="q", text="Which?"))


def histories(questions: Sequence[dict[str, bool]]) -> Exploration:
    return Exploration.of(
        node(number, letters, correct)
        for number, steps in enumerate(questions)
        for letters, correct in steps.items()
    )


def retrieve_once(here: Node) -> Action:
    return Action.STOP if here.actions else Action.RETRIEVE


def always_retrieve(here: Node) -> Action:
    return Action.RETRIEVE


def test_a_walk_pays_for_what_it_takes_and_ends_where_nobody_has_been() -> None:
    explored = histories([{"": False, "r": True}, {"": True, "r": False, "rr": True}])
    assert earned(explored, retrieve_once, PRICES) == pytest.approx({0: 1 - 0.2, 1: 0 - 0.2})
    assert earned(explored, always_retrieve, PRICES) == pytest.approx({0: 1 - 0.2, 1: 1 - 0.4})
    probed = Prices(retrieve=0.2, reason=0.02, probe=0.05)
    assert earned(explored, retrieve_once, probed) == pytest.approx({0: 0.75, 1: -0.25})


def test_best_plan_is_of_those_that_every_question_was_explored_with() -> None:
    explored = histories(
        [{"": False, "r": True, "p": False, "rr": True}, {"": False, "r": True, "p": True}]
    )
    assert best_plan(explored, PRICES) == (Action.RETRIEVE,)  # 1 - 0.2 against 0.5 - 0.02
    assert best_plan(explored, Prices(0.6, 0.02)) == (Action.REASON,)
    assert best_plan(explored, Prices(1.5, 0.6)) == ()


def test_of_equal_plans_the_shortest_is_best() -> None:
    explored = histories([{"": True, "r": True}])
    assert best_plan(explored, Prices(0.0, 0.0)) == ()


def known_and_unknown(honest: bool) -> Exploration:
    """Half of 100 questions are known; p-hat tells which, or nothing. A retrieval always helps."""
    found: list[Node] = []
    for number in range(100):
        known = number % 2 == 0
        confidence = 0.5 if not honest else 0.9 if known else 0.1
        found += [
            node(number, "", known, confidence),
            node(number, "r", True, 0.95),
            node(number, "p", known, confidence),
        ]
    return Exploration.of(found)


def by_confidence(fitted_on: Exploration) -> Deciding:
    def decide(here: Node) -> Action:
        unsure = here.confidence < 0.5 and not here.actions
        return Action.RETRIEVE if unsure else Action.STOP

    return decide


def test_deciding_pays_where_the_signal_is_honest() -> None:
    found = best_paying(known_and_unknown(honest=True), [by_confidence], PRICES)

    assert found == 0


def test_of_several_ways_of_deciding_the_one_that_earns_most_is_taken() -> None:
    explored = known_and_unknown(honest=True)
    ways: list[Callable[[Exploration], Deciding]] = [
        lambda _: retrieve_once,
        by_confidence,
        by_confidence,
    ]

    assert best_paying(explored, ways, PRICES) == 1


def test_deciding_does_not_pay_where_it_changes_nothing() -> None:
    # Never unsure: it answers at once, while retrieving pays.
    assert best_paying(known_and_unknown(honest=False), [by_confidence], PRICES) is None
    # The same as the best plan is not better.
    explored = known_and_unknown(honest=False)
    assert best_paying(explored, [lambda _: retrieve_once], PRICES) is None


def context(explored: Exploration, retrieval_cost: float, probe: float = 0.0) -> PolicyContext:
    spec = MDPSpec(retrieval_cost=retrieval_cost, reason_cost=0.02)
    return PolicyContext(solve(spec), probe_cost=probe, calibration=calibration(explored.nodes))


@pytest.mark.parametrize("strategy", [argo_calibrated, argo_fitted])
def test_without_a_signal_the_best_plan_is_followed(
    strategy: Callable[[PolicyContext], Policy],
) -> None:
    explored = known_and_unknown(honest=False)
    cheap = strategy(context(explored, 0.2))
    assert isinstance(cheap, BestPlan)
    assert (cheap.plan, cheap.gains) == ((Action.RETRIEVE,), (pytest.approx(0.5 - 0.2),))
    dear = strategy(context(explored, 0.7))
    assert isinstance(dear, BestPlan)
    assert dear.plan == ()
    assert not isinstance(strategy(context(known_and_unknown(honest=True), 0.2)), BestPlan)


def test_a_plan_is_followed_without_looks_where_they_cost() -> None:
    explored = known_and_unknown(honest=False)
    free = follow_best_plan(calibration(explored.nodes), PRICES, horizon=1)
    assert required_probes_of(free)(STATE) == CONFIDENCE_PROBES
    priced = follow_best_plan(calibration(explored.nodes), Prices(0.2, 0.02, 0.01), horizon=1)
    assert required_probes_of(priced)(STATE) == frozenset()
    decision = priced.decide(STATE, random.Random(0))
    assert decision.action is Action.RETRIEVE
    assert decision.expected.confidence is None
    assert decision.expected.gain == pytest.approx(0.5 - 0.2)


def test_nodes_beyond_the_horizon_are_left_out() -> None:
    explored = histories([{"": False, "r": False, "rr": True}])
    assert [each.actions for each in explored.within(1).nodes] == [(), ("retrieve",)]
    assert follow_best_plan(calibration(explored.nodes), PRICES, horizon=1).plan == ()
    assert follow_best_plan(calibration(explored.nodes), PRICES, horizon=2).plan == (
        Action.RETRIEVE,
        Action.RETRIEVE,
    )
