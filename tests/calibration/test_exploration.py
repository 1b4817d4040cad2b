"""What is made of explored histories once, whatever the price."""

from __future__ import annotations

import pickle

from argo_ml.calibration import Node
from argo_ml.calibration.exploration import Exploration
from argo_ml.types import Action


def node(question: int, *actions: str) -> Node:
    return Node(question=question, actions=actions, features=(), correct=True, confidence=0.5)


ROOT, READ, READ_TWICE = (node(0, *("retrieve",) * n_steps) for n_steps in range(3))
EXPLORED = Exploration((ROOT, READ, READ_TWICE, node(1), node(1, "reason")))
calls: list[tuple[int, int]] = []


def _counted(explored: Exploration, number: int) -> list[int]:
    calls.append((len(explored.nodes), number))
    return [number]


def test_something_is_made_once_for_each_argument() -> None:
    explored = Exploration(EXPLORED.nodes)
    calls.clear()
    first = explored.once(_counted, 1)
    assert explored.once(_counted, 1) is first
    assert explored.once(_counted, 2) == [2]
    assert calls == [(5, 1), (5, 2)]
    assert Exploration(EXPLORED.nodes).once(_counted, 1) is not first


def test_an_edge_leads_from_node_to_node() -> None:
    first, second, third = EXPLORED.edges
    assert (first.before, first.action, first.after) == (ROOT, Action.RETRIEVE, READ)
    assert (second.before, second.after) == (READ, READ_TWICE)
    assert third.action is Action.REASON
    assert EXPLORED.after(READ, Action.RETRIEVE) is READ_TWICE
    assert EXPLORED.after(READ, Action.REASON) is None


def test_every_question_is_left_out_of_one_fold() -> None:
    folds = Exploration.of(node(question) for question in range(12)).folds
    assert len(folds) == 5
    held_out = [node.question for _, part in folds for node in part.nodes]
    assert sorted(held_out) == list(range(12))
    for fitted_on, part in folds:
        assert not {node.question for node in fitted_on.nodes} & {
            node.question for node in part.nodes
        }
    assert Exploration((node(0),)).folds == ()


def test_a_copy_is_of_the_same_nodes_and_begins_anew() -> None:
    explored = Exploration(EXPLORED.nodes)
    calls.clear()
    explored.once(_counted, 1)
    copy = pickle.loads(pickle.dumps(explored))
    assert copy.nodes == explored.nodes
    copy.once(_counted, 1)
    assert len(calls) == 2
