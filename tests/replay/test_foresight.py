"""Advantages predicted of many states together, and once for all prices."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from builders.recorded_outcomes import tree_line

from argo_ml.calibration.question_fields import FieldIndicators
from argo_ml.config import ReplaySpec
from argo_ml.mdp.process import MDPSpec
from argo_ml.policies import Policy
from argo_ml.policies.argo_advantage import ArgoAdvantage, ArgoAdvantageByFields, PlanPredictors
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.replay.calibrating import ReplayState, calibrate_on_records, make_replay_state
from argo_ml.replay.foresight import Foresight
from argo_ml.replay.recorded import common_reach
from argo_ml.replay.rows import Walk
from argo_ml.replay.splitting import read_parts
from argo_ml.replay.walking import Walker
from argo_ml.types import Action, Prices

MakeSpec = Callable[..., ReplaySpec]
N_CALIBRATION, N_TESTED = 12, 20
PROCESS = MDPSpec(retrieval_cost=0.1)


@dataclass(frozen=True)
class Drawn:
    """An advantage drawn for every row; counts the rows that it was asked about."""

    seed: int
    asked: list[int] = field(default_factory=list)

    def value(self, features: Sequence[float]) -> float:
        self.asked.append(1)
        return random.Random(f"{self.seed} {sum(features)}").uniform(-0.2, 0.3)

    def values(self, rows: Sequence[Sequence[float]]) -> list[float]:
        return [self.value(row) for row in rows]


@dataclass(frozen=True)
class Plain:
    """Decides as ``policy``, of which nothing is foreseen."""

    policy: Policy

    def required_probes(self, state: State) -> frozenset[Probe]:
        return self.policy.required_probes(state)

    def decide(self, state: State, rng: random.Random) -> Decision:
        return self.policy.decide(state, rng)


@pytest.fixture
def made(make_spec: MakeSpec) -> tuple[ArgoAdvantage, list[ReplayState]]:
    """A policy of two steps, and the questions that it is to be tested on."""
    lines = [tree_line(number) for number in range(N_CALIBRATION + N_TESTED)]
    for number, line in enumerate(lines):
        line["metadata"] = {"source": "wiki" if number % 2 else "news"}
    parts = read_parts(make_spec(lines[N_CALIBRATION:], lines[:N_CALIBRATION]))
    calibrating, tested = (
        [make_replay_state(own, parts.common, {}) for own in part]
        for part in (parts.calibration, parts.test)
    )
    calibration = calibrate_on_records(calibrating, tested, {}, common_reach(parts.all))
    predictors = tuple(
        PlanPredictors({(action,): Drawn(seed) for seed, action in enumerate(Action) if seed < 2})
        for _ in range(2)
    )
    return ArgoAdvantage(calibration, Prices(0.1, 0.1), 1, predictors), tested


def walks(policy: Policy, tested: Sequence[ReplayState], foresight: Foresight) -> tuple[Walk, ...]:
    return Walker(policy, PROCESS, 2, 0, "it chose", foresight).walks(tested)


def n_asked(policy: ArgoAdvantage) -> int:
    """States that any of the predictors was asked about, twice where it was twice."""
    asked = (list(own.by_plan.values()) for own in policy.predictors)
    return sum(len(predictor.asked) for predictor, *_ in asked)


def test_what_is_foreseen_decides_as_what_is_predicted_one_by_one(
    made: tuple[ArgoAdvantage, list[ReplayState]],
) -> None:
    policy, tested = made

    found = walks(policy, tested, Foresight())

    assert found == walks(Plain(policy), tested, Foresight())
    assert {len(walk.before) for walk in found} == {0, 1, 2}


def test_every_state_is_predicted_once_for_all_prices(
    made: tuple[ArgoAdvantage, list[ReplayState]],
) -> None:
    policy, tested = made
    foresight, seen = Foresight(), set[tuple[str, str]]()

    for price in (0.05, 0.1, 0.2):
        priced = replace(policy, prices=Prices(price, 0.1))
        for own, walk in zip(tested, walks(priced, tested, foresight), strict=True):
            steps = [] if walk.plan == "none" else walk.plan.split(">")
            seen |= {(own.recorded.id, ">".join(steps[:n])) for n in range(min(len(steps), 1) + 1)}

    assert n_asked(policy) == len(seen)


def test_questions_of_unknown_fields_are_foreseen_by_the_other_policy(
    made: tuple[ArgoAdvantage, list[ReplayState]],
) -> None:
    policy, tested = made
    indicators = FieldIndicators((("source", "wiki"),))
    reading = replace(policy, indicators=indicators, predictors=policy.predictors[:1])
    both = ArgoAdvantageByFields(indicators, reading, policy)

    assert walks(both, tested, Foresight()) == walks(Plain(both), tested, Foresight())
