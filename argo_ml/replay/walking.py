"""Policies that decide step by step, on recorded sequences of actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from argo_ml.calibration.plans import MULTI, NONE, ONCE, after
from argo_ml.errors import DataError
from argo_ml.mdp.process import MDPSpec
from argo_ml.mdp.progress import FixedGains
from argo_ml.policies.base import Policy, Probe, required_probes_of
from argo_ml.policies.gates.adaptive_rag import AdaptiveRag, Complexity
from argo_ml.randomness import deferred_rng
from argo_ml.replay.calibrating import ReplayState
from argo_ml.replay.needs import LEAVE_OUT, missing
from argo_ml.replay.rows import Walk
from argo_ml.types import NOTHING_EXPECTED, Action, Expectation, StopReason


@dataclass(frozen=True)
class Walker:
    """Leads a policy, called ``who`` in errors, through what is recorded of each question."""

    policy: Policy
    process: MDPSpec
    max_steps: int
    seed: int
    who: str

    def walks(self, tested: Sequence[ReplayState]) -> tuple[Walk, ...]:
        """Raises `DataError` naming what is not recorded of a question and was chosen."""
        if isinstance(self.policy, AdaptiveRag):
            return tuple(self._classified(self.policy, own) for own in tested)
        return tuple(map(self._walk, tested))

    def _walk(self, own: ReplayState) -> Walk:
        required_probes = required_probes_of(self.policy)
        actions: tuple[str, ...] = ()
        before: list[tuple[Expectation, bool]] = []
        progress = 0.0
        while True:
            state = replace(own.after(actions), progress=progress)
            rng = deferred_rng(self.seed, state.question.id, len(actions), "policy")
            decision = self.policy.decide(state, rng)
            probed = Probe.ANSWER in required_probes(state)
            if (reason := self._stop_reason(decision.stop_reason, actions)) is not None:
                withheld, plan = reason is StopReason.ABSTAIN, after(actions)
                return Walk(plan, decision.expected, probed, withheld, tuple(before), reason)
            before.append((decision.expected, probed))
            actions = (*actions, decision.action.value)
            progress = self._advanced(progress, own, decision.action, actions)

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
