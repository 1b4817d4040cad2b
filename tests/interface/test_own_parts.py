"""Policies that a program brings as objects."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
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


class Keeping:
    """Keeps whatever it is given, and decides nothing by it."""

    def __init__(self, **values: Any) -> None:
        self.__dict__ |= values

    def decide(self, state: State, rng: random.Random) -> Decision:
        return Decision(Action.STOP, StopReason.POLICY)


class Opaque(Keeping): ...


class Argo(Keeping): ...


class Slotted:
    __slots__ = ("__secret", "n_words", "unset")

    def __init__(self, n_words: int, secret: int) -> None:
        self.n_words = n_words
        self.__secret = secret

    def decide(self, state: State, rng: random.Random) -> Decision:
        return Decision(Action.STOP, StopReason.POLICY)


@dataclass
class Learned(Keeping):
    """Learns beside its fields, and works out what follows from them."""

    n_words: int = 3

    def __post_init__(self) -> None:
        self.weights = (0.1, 0.2)

    @cached_property
    def doubled(self) -> int:
        return 2 * self.n_words


@pytest.mark.parametrize(
    "name", ["top_k", "seed", "model", "max_steps", "theta_star", "_threshold", "copy", "own_limit"]
)
def test_a_value_may_have_any_name(name: str) -> None:
    _, parameters = add_policy(Keeping(**{name: 3}))
    assert parameters == f"keeping.own_{name}=3"
    ids = cell_ids(Keeping(**{name: 3}))
    assert not set(ids) & set(cell_ids(Keeping(**{name: 4})))


def retrained(at: int) -> np.ndarray:
    """Weights that differ from others where ``repr`` leaves them out."""
    weights = np.zeros(2000)
    weights[at] = 1.0
    return weights


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (retrained(900), retrained(901)),
        ([retrained(900)], [retrained(901)]),
        (np.array([0.1]), np.array([0.1 + 1e-12])),
        (np.zeros(4), np.zeros((2, 2))),
        (LongQuestion(8), LongQuestion(9)),
    ],
)
def test_what_a_policy_has_learned_tells_it_apart(first: object, second: object) -> None:
    assert add_policy(Keeping(weights=first)) == add_policy(Keeping(weights=first))
    assert add_policy(Keeping(weights=first)) != add_policy(Keeping(weights=second))


def test_order_within_a_set_means_nothing() -> None:
    words = [f"word{n}" for n in range(50)]
    assert add_policy(Keeping(words=set(words))) == add_policy(Keeping(words=set(words[::-1])))


def test_values_of_slots_count() -> None:
    _, parameters = add_policy(Slotted(5, secret=7))
    assert parameters == "slotted.own__Slotted__secret=7,slotted.n_words=5"


def test_what_a_dataclass_learns_beside_its_fields_counts_and_what_follows_from_them_not() -> None:
    policy = Learned()
    before = add_policy(policy)
    assert policy.doubled == 6
    assert add_policy(policy) == before
    assert "learned.n_words=3,learned.weights=sha256:" in before[1]


class Estimator:
    """Shows how it was set up and not what it has learned, as those of scikit-learn do."""

    def __repr__(self) -> str:
        return "Estimator()"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (LongQuestion, "is no policy; give a name, or an object with decide"),
        (3, "strategies: 3 is no policy"),
        (Opaque(model=object()), "strategy opaque: model=<object object at 0x"),
        (Opaque(model=Estimator()), "strategy opaque: model=Estimator() does not say all that it"),
        (Opaque(rows=np.array([object()])), "strategy opaque: rows="),
        (Argo(), "strategy 'argo' is one of argo_ml; choose another name"),
    ],
)
def test_what_cannot_be_a_policy_is_refused(given: object, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
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
