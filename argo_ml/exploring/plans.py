"""The plans that an exploration follows, and what is probed on the way."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from argo_ml.calibration.plans import SIZES, sized
from argo_ml.config import CalibrateSpec
from argo_ml.policies.base import Decision, Probe, State
from argo_ml.policies.description import RecordedSignal, Strategy
from argo_ml.policies.planned import FixedPlan
from argo_ml.policies.strategies import ALL_STRATEGIES, find_strategy
from argo_ml.randomness import derived_rng
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Action, Question

ACTIONS = (Action.RETRIEVE, Action.REASON)
WRITTEN = frozenset({Probe.DRAFT, Probe.SAMPLES})
"""Probed of a question without choices alone; of choices the scores say the same."""
OPTIONAL_PROBES = WRITTEN | {Probe.TENTATIVE}
"""Probed before the first step, where a policy looks at them."""
PROBES_BY_SIGNAL = {
    RecordedSignal.DRAFT_ENTROPY: frozenset({Probe.DRAFT}),
    RecordedSignal.DRAFT_MARGIN: frozenset({Probe.DRAFT}),
    RecordedSignal.SAMPLES: frozenset({Probe.SAMPLES}),
}
Plan = tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class WatchedPlan:
    """A plan, and every state that it came to."""

    plan: FixedPlan
    states: list[State] = field(default_factory=list)

    def required_probes(self, state: State) -> frozenset[Probe]:
        return self.plan.required_probes(state)

    def decide(self, state: State, rng: random.Random) -> Decision:
        self.states.append(state)
        return self.plan.decide(state, rng)


@dataclass(frozen=True, slots=True)
class ExploredPlans:
    """The plans of every question; ``probes`` are those beside the answer's, ``sizes`` the numbers
    of passages of further single retrievals."""

    spec: CalibrateSpec
    probes: frozenset[Probe]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, spec: CalibrateSpec) -> ExploredPlans:
        """What the policies of the spec look at and choose among. Raises `ConfigError` for an
        unknown one."""
        strategies = [find_strategy(name) for name in spec.policies or ALL_STRATEGIES]
        calibrated = [strategy for strategy in strategies if strategy.calibrated]
        chosen = {plan for strategy in calibrated for plan in _plans_of(strategy)}
        sizes = tuple(size for size in SIZES if size != spec.top_k and sized(size) in chosen)
        return cls(spec, _all(map(_probes_of, calibrated)), sizes)

    def of_question(self, question: Question) -> list[WatchedPlan]:
        """Retrieving alone, reasoning alone, random plans, and single retrievals of other sizes."""
        probes = self.probes - WRITTEN if question.choices else self.probes
        constant = [(action,) * self.spec.max_steps for action in ACTIONS]
        drawn = _random_plans(question, self.spec, constant)

        def plan(actions: Plan, top_k: int | None = None) -> WatchedPlan:
            first = CONFIDENCE_PROBES | probes
            return WatchedPlan(FixedPlan(actions, top_k, first, CONFIDENCE_PROBES))

        return [
            *map(plan, [*constant, *drawn]),
            *(plan((Action.RETRIEVE,), size) for size in self.sizes),
        ]


def _probes_of(strategy: Strategy) -> frozenset[Probe]:
    """All of them for a strategy that says nothing of its needs."""
    if strategy.replay is None:
        return OPTIONAL_PROBES
    return PROBES_BY_SIGNAL.get(strategy.replay.signal, frozenset())


def _plans_of(strategy: Strategy) -> tuple[str, ...]:
    return tuple(map(sized, SIZES)) if strategy.replay is None else strategy.replay.plans


def _all(sets: Iterable[frozenset[Probe]]) -> frozenset[Probe]:
    return frozenset[Probe]().union(*sets)


def _random_plans(question: Question, spec: CalibrateSpec, known: Sequence[Plan]) -> list[Plan]:
    """``explorations`` different plans beside those that are ``known``; fewer where there are not
    so many, which is everything then."""
    n_plans = min(len(known) + spec.explorations, len(ACTIONS) ** spec.max_steps)
    rng = derived_rng(spec.seed, question.id, "explore")
    plans = [*known]
    while len(plans) < n_plans:
        drawn = tuple(rng.choice(ACTIONS) for _ in range(spec.max_steps))
        if drawn not in plans:
            plans.append(drawn)
    return plans[len(known) :]
