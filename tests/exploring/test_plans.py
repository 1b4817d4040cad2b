"""What is explored, by the policies that it is for; no model is asked."""

from __future__ import annotations

import pytest

from argo_ml.config import CalibrateSpec, build
from argo_ml.errors import ConfigError
from argo_ml.exploring.plans import ExploredPlans
from argo_ml.policies.base import Probe, State
from argo_ml.types import Action, Question

TEXT = Question("q1", "Which country has the capital Lima?", answers=("Peru",))
CHOICES = Question("q2", "Where is Lima?", choices=("Peru", "Chile"), gold=(0,))
SHOWN = {Probe.ANSWER, Probe.VECTOR}


def plans(policies: str = "", **values: str) -> ExploredPlans:
    return ExploredPlans.of(build(CalibrateSpec, {"policies": policies, **values}))


def test_for_all_strategies_everything_is_explored() -> None:
    explored = plans()

    assert explored.sizes == (1, 5)
    assert explored.probes == {Probe.DRAFT, Probe.SAMPLES, Probe.TENTATIVE}


def test_policies_that_read_the_answer_alone_need_no_other_probe_and_no_other_size() -> None:
    explored = plans("never,single,argo_calibrated,argo_fitted,benefit_gate")

    assert (explored.sizes, explored.probes) == ((), frozenset())
    [first, *_] = explored.of_question(TEXT)
    assert first.required_probes(State(TEXT)) == SHOWN
    assert len(explored.of_question(TEXT)) == 3


@pytest.mark.parametrize(
    ("policy", "probes", "sizes"),
    [
        ("margin_gate", {Probe.DRAFT}, ()),
        ("variance_gate", {Probe.SAMPLES}, ()),
        ("graded", set(), (1, 5)),
        ("flare", {Probe.DRAFT, Probe.SAMPLES, Probe.TENTATIVE}, (1, 5)),
    ],
)
def test_what_a_policy_reads_is_explored(
    policy: str, probes: set[Probe], sizes: tuple[int, ...]
) -> None:
    explored = plans(policy)

    assert (explored.probes, explored.sizes) == (probes, sizes)


def test_of_choices_the_scores_say_what_drafts_and_samples_do() -> None:
    [first, *_] = plans("margin_gate,variance_gate").of_question(CHOICES)

    assert first.required_probes(State(CHOICES)) == SHOWN


def test_the_usual_number_of_passages_is_no_other_size() -> None:
    assert plans("graded", top_k="5").sizes == (1,)


def test_both_constant_plans_come_first_whatever_it_is_for() -> None:
    first, second, *_ = plans("argo_fitted", max_steps="2").of_question(TEXT)

    assert first.plan.actions == (Action.RETRIEVE, Action.RETRIEVE)
    assert second.plan.actions == (Action.REASON, Action.REASON)


def test_an_unknown_policy_is_named() -> None:
    with pytest.raises(ConfigError, match="strategy='argo_fited' is unknown"):
        plans("argo_fited")
