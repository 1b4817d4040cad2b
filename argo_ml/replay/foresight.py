"""What `argo_advantage` predicts of recorded states, of many together, and once for all prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import filterfalse

from argo_ml.policies import Policy
from argo_ml.policies.argo_advantage import (
    Advantages,
    ArgoAdvantage,
    ArgoAdvantageByFields,
    PlanPredictors,
    StateKey,
    state_key,
)
from argo_ml.policies.base import State
from argo_ml.policies.best_plan import BestPlan

Predictors = tuple[PlanPredictors, ...]


@dataclass(frozen=True, slots=True)
class Foresight:
    """Remembers advantages by the predictors that they are of, which prices share.

    ``_known`` is by the identity of predictors; these stand beside what they have predicted, so
    that no others can take their place.
    """

    _known: dict[int, tuple[Predictors, dict[StateKey, Advantages]]] = field(default_factory=dict)

    def of(self, policy: Policy, states: Sequence[State]) -> Policy:
        """The policy, which decides the same about ``states``, of which as many steps were taken
        each."""
        if isinstance(policy, ArgoAdvantageByFields):
            known = self._foreseeing(policy.known, list(filter(policy.knows, states)))
            other = self._foreseeing(policy.other, list(filterfalse(policy.knows, states)))
            return replace(policy, known=known, other=other)
        return self._foreseeing(policy, states) if isinstance(policy, ArgoAdvantage) else policy

    def _foreseeing(
        self, policy: ArgoAdvantage | BestPlan, states: Sequence[State]
    ) -> ArgoAdvantage | BestPlan:
        if isinstance(policy, BestPlan):
            return policy
        predictors = policy.predictors
        _, known = self._known.setdefault(id(predictors), (predictors, {}))
        known.update(policy.foresee([state for state in states if state_key(state) not in known]))
        return replace(policy, foreseen=known)
