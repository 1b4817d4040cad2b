"""Policies that a program brings as objects."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from argo_ml.config import EstimateSpec, SweepSpec, build
from argo_ml.corpus.own_retriever import OWN_RETRIEVERS
from argo_ml.errors import ConfigError
from argo_ml.interface import jobs
from argo_ml.interface.own_parts import with_own_parts, with_own_policies
from argo_ml.policies import ALL_STRATEGIES, Policy, PolicyContext, check_strategies
from argo_ml.policies.base import Decision, State
from argo_ml.policies.own import add_policy
from argo_ml.sweep.cells import cell_id
from argo_ml.testing.policies import PolicyConformance
from argo_ml.types import Action, StopReason


@dataclass(frozen=True)
class LongQuestion:
    """Retrieves once for questions of more than some words."""

    n_words: int = 6
    note: str = "plain"

    def decide(self, state: State, rng: random.Random) -> Decision:
        if not state.steps and len(state.question.text.split()) > self.n_words:
            return Decision(Action.RETRIEVE)
        return Decision(Action.STOP, StopReason.POLICY)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    before = dict(ALL_STRATEGIES._added), dict(OWN_RETRIEVERS._added)
    yield
    ALL_STRATEGIES._added, OWN_RETRIEVERS._added = before


def cell_ids(policy: Policy) -> list[str]:
    spec = build(SweepSpec, with_own_policies({"strategies": ["never", policy]}))
    check_strategies(spec.strategies, spec)
    return [cell_id(cell, {}) for cell in spec.cells()]


class TestLongQuestion(PolicyConformance):
    def make(self, context: PolicyContext) -> Policy:
        return LongQuestion(4)


def test_a_policy_is_known_by_the_name_of_its_class_and_its_values() -> None:
    options = with_own_policies({"strategies": ["single", LongQuestion(8)], "mode": "small"})
    assert options["strategies"] == ("single", "long_question")
    assert options["strategy_parameters"] == "long_question.n_words=8,long_question.note=plain"
    assert options["mode"] == "small"


def test_other_values_make_other_cells_and_the_same_values_the_same() -> None:
    assert cell_ids(LongQuestion(8)) == cell_ids(LongQuestion(8))
    assert not set(cell_ids(LongQuestion(8))) & set(cell_ids(LongQuestion(9)))


def test_values_that_cannot_stand_in_an_option_count_by_their_digest() -> None:
    _, parameters = add_policy(LongQuestion(8, note="a note, of words"))
    assert "long_question.note=sha256:" in parameters


@pytest.mark.parametrize("strategies", [["argo"], ("argo", "never"), "argo,never"])
def test_names_alone_change_nothing(strategies: object) -> None:
    options = {"strategies": strategies, "mode": "small"}

    assert with_own_policies(options) == options


def test_values_of_a_policy_win_over_those_given_by_its_name_alone() -> None:
    given = "argo_advantage.reads_metadata=true, long_question.n_words=9"
    strategies = ["argo_advantage", LongQuestion(8)]

    options = with_own_policies({"strategies": strategies, "strategy_parameters": given})

    assert build(SweepSpec, options).strategy_parameters == (
        "argo_advantage.reads_metadata=true,long_question.n_words=8,long_question.note=plain"
    )


@pytest.mark.parametrize("own", [[], [LongQuestion()]])
def test_strategies_leave_the_parameters_of_a_spec(
    own: list[Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[EstimateSpec] = []
    monkeypatch.setattr(jobs, "run_estimate", lambda spec, _: seen.append(spec))
    given = EstimateSpec(strategy_parameters="argo_advantage.reads_metadata=true")

    jobs.estimate(given, strategies=["never", "argo_advantage", *own])

    assert seen[0].strategy_parameters.startswith("argo_advantage.reads_metadata=true")


class Opaque:
    def __init__(self) -> None:
        self.model = object()

    def decide(self, state: State, rng: random.Random) -> Decision:
        return Decision(Action.STOP, StopReason.POLICY)


class Argo(Opaque):
    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (LongQuestion, "is no policy; give a name, or an object with decide"),
        (3, "strategies: 3 is no policy"),
        (Opaque(), "strategy opaque: model=<object object at 0x"),
        (Argo(), "strategy 'argo' is one of argo_ml; choose another name"),
    ],
)
def test_what_cannot_be_a_policy_is_refused(given: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        with_own_policies({"strategies": ["single", given]})


def passages(queries: list[str]) -> list[list[str]]:
    return [["A passage."] for _ in queries]


def dense(queries: list[str]) -> list[list[str]]:
    return passages(queries)


def test_a_function_is_a_retriever_by_its_name() -> None:
    options = with_own_parts({"retriever": passages, "strategies": ["single"]})
    assert options["retriever"] == "passages"
    assert OWN_RETRIEVERS["passages"] is passages
    assert with_own_parts({"retriever": "hybrid"}) == {"retriever": "hybrid"}


@pytest.mark.parametrize(
    ("given", "message"),
    [(7, "retriever=7 cannot be called"), (dense, "retriever 'dense' is one of argo_ml")],
)
def test_what_cannot_be_a_retriever_is_refused(given: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_own_parts({"retriever": given})


def test_workers_elsewhere_do_not_know_it() -> None:
    with pytest.raises(ConfigError, match="executor=ray"):
        with_own_policies({"strategies": [LongQuestion()], "executor": "ray"})
    with pytest.raises(ConfigError, match="executor=ray"):
        jobs.sweep(SweepSpec(executor="ray"), strategies=["never", LongQuestion()])
