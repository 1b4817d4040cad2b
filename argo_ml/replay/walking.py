"""Policies that decide step by step, on recorded sequences of actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from argo_ml.calibration.plans import MULTI, NONE, ONCE, after
from argo_ml.errors import DataError
from argo_ml.mdp.process import MDPSpec
from argo_ml.mdp.progress import FixedGains
from argo_ml.policies.base import Decision, Policy, Probe, State, required_probes_of
from argo_ml.policies.gates.adaptive_rag import AdaptiveRag, Complexity
from argo_ml.randomness import deferred_rng
from argo_ml.replay.calibrating import ReplayState
from argo_ml.replay.foresight import Foresight
from argo_ml.replay.needs import LEAVE_OUT, missing
from argo_ml.replay.rows import Walk
from argo_ml.types import NOTHING_EXPECTED, Action, Expectation, StopReason


@dataclass(slots=True)
class _Way:
    """How far a question has come; ``before`` are its decisions so far, as `Walk` has them."""

    own: ReplayState
    state: State
    actions: tuple[str, ...] = ()
    before: tuple[tuple[Expectation, bool], ...] = ()
    walk: Walk | None = None


@dataclass(frozen=True)
class Walker:
    """Leads a policy, called ``who`` in errors, through what is recorded of each question.

    ``foresight`` is what it may have in common with those of other prices.
    """

    policy: Policy
    process: MDPSpec
    max_steps: int
    seed: int
    who: str
    foresight: Foresight = field(default_factory=Foresight)

    def walks(self, tested: Sequence[ReplayState]) -> tuple[Walk, ...]:
        """Raises `DataError` naming what is not recorded of a question and was chosen."""
        if isinstance(self.policy, AdaptiveRag):
            return tuple(self._classified(self.policy, own) for own in tested)
        ways = [_Way(own, own.state) for own in tested]
        while under_way := [way for way in ways if way.walk is None]:
            states = [way.state for way in under_way]
            policy = self.foresight.of(self.policy, states)
            required_probes = required_probes_of(policy)
            for way, state in zip(under_way, states, strict=True):
                rng = deferred_rng(self.seed, state.question.id, len(way.actions), "policy")
                decision = policy.decide(state, rng)
                self._go_on(way, decision, Probe.ANSWER in required_probes(state))
        return tuple(way.walk for way in ways if way.walk is not None)

    def _go_on(self, way: _Way, decision: Decision, probed: bool) -> None:
        reason, expected = self._stop_reason(decision.stop_reason, way.actions), decision.expected
        if reason is not None:
            withheld, plan = reason is StopReason.ABSTAIN, after(way.actions)
            way.walk = Walk(plan, expected, probed, withheld, way.before, reason)
            return
        way.before = (*way.before, (expected, probed))
        way.actions = (*way.actions, decision.action.value)
        progress = self._advanced(way.state.progress, way.own, decision.action, way.actions)
        way.state = way.own.next(way.state, way.actions, progress)

    def _stop_reason(
        self, decided: StopReason | None, actions: tuple[str, ...]
    ) -> StopReason | None:
        return StopReason.LIMIT if decided is None and len(actions) >= self.max_steps else decided

    def _advanced(
        self,
        progress: float,
        own: ReplayState,
        action: Action,
        actions: tuple[str, ...],
    ) -> float:
        plan = after(actions)
        if plan not in own.recorded.outcomes:
            lack = missing(own.recorded, plan, self.who)
            raise DataError(f"{lack}, lower max_steps, {LEAVE_OUT}")
        return self._gains.advance(progress, action, own.succeeded(actions))

    @cached_property
    def _gains(self) -> FixedGains:
        return self.process.gains

    def _classified(self, policy: AdaptiveRag, own: ReplayState) -> Walk:
        """None, one or many retrievals, of which the last are recorded as one plan."""
        plans = {Complexity.NONE: NONE, Complexity.SINGLE: ONCE, Complexity.MULTI: MULTI}
        plan, recorded = plans[policy.complexity(own.state)], own.recorded
        if plan not in recorded.outcomes:
            raise DataError(f"{missing(recorded, plan, self.who)}, {LEAVE_OUT}")
        actions = recorded.actions(plan)
        if actions is None:
            lack = missing(recorded, f"{plan}.actions", f"{self.who}, and has to be paid")
            raise DataError(f"{lack}, {LEAVE_OUT}")
        nothing = tuple((NOTHING_EXPECTED, False) for _ in actions)
        return Walk(plan, before=nothing)
