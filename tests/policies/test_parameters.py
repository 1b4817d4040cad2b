from __future__ import annotations

import pytest

from argo_ml.config import ReplaySpec, SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import STRATEGIES, PolicyContext, Role, Strategy, StrategyParameters
from argo_ml.policies.parameters import (
    GateParameters,
    GradedParameters,
    OracleParameters,
    ThresholdParameters,
    read_parameters,
)
from argo_ml.policies.planned import never
from argo_ml.policies.strategies import strategy_parameters


class WordParameters(StrategyParameters):
    words: int
    seed: int
    gate_budget: float | None = None


def test_a_strategy_takes_its_own_parameters_of_a_spec() -> None:
    spec = build(
        SweepSpec,
        {
            "theta_cont": 0.2,
            "theta_star": 0.4,
            "gate_budget": 0.3,
            "abstain_below": 0.5,
            "oracle_steps": 3,
        },
    )
    assert {name: strategy_parameters(name, spec) for name in ("graded", "oracle", "argo")} == {
        "graded": GradedParameters(gate_budget=0.3, abstain_below=0.5),
        "oracle": OracleParameters(oracle_steps=3),
        "argo": None,
    }
    assert strategy_parameters("margin_gate", spec) == GateParameters(gate_budget=0.3)
    thresholds = ThresholdParameters(theta_cont=0.2, theta_star=0.4)
    assert strategy_parameters("fixed_threshold", spec) == thresholds


def test_what_a_spec_has_no_field_for_has_its_default() -> None:
    spec = build(ReplaySpec, {"gate_budget": 0.3})
    assert strategy_parameters("graded", spec) == GradedParameters(gate_budget=0.3)
    assert strategy_parameters("oracle", spec) == OracleParameters(oracle_steps=2)


def test_own_parameters_come_from_strategy_parameters_and_shared_ones_from_the_spec() -> None:
    spec = build(SweepSpec, {"strategy_parameters": "mine.words=12", "seed": 7, "gate_budget": 0.1})
    expected = WordParameters(words=12, seed=7, gate_budget=0.1)
    assert read_parameters("mine", WordParameters, spec) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "strategy mine needs words and seed"),
        ("mine.words=few", "mine.words=few: input should be a valid integer"),
        ("mine.word=1", r"mine.word is unknown; did you mean 'mine.words'\? known: mine.words"),
        ("mine.seed=1", "mine.seed is unknown; "),
    ],
)
def test_own_parameters_that_do_not_fit_are_named(given: str, reason: str) -> None:
    spec = build(SweepSpec, {"strategy_parameters": given})
    with pytest.raises(ConfigError, match=reason):
        read_parameters("mine", WordParameters, spec)


def test_a_gate_takes_a_budget_without_saying_so() -> None:
    gate = Strategy(never, Role.GATE, decides_once=True)
    assert gate.parameters is GateParameters
    assert Strategy(never, Role.GATE).parameters is None
    assert STRATEGIES["graded"].parameters is GradedParameters


def test_a_policy_that_reads_other_parameters_than_described_is_a_bug() -> None:
    context = PolicyContext(solve(MDPSpec(0.1)), OracleParameters())
    with pytest.raises(TypeError, match=r"reads GateParameters, .*parameters=OracleParameters"):
        context.parameters_as(GateParameters)
