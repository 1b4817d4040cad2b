"""A gate on the length of the question: the longer, the more it asks for evidence."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.policies import PolicyContext, ReplayNeeds, Role, Strategy
from argo_ml.policies.base import Probe, State
from argo_ml.policies.gates import Gate, SignalReading, make_gate
from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class Length:
    """Words of the question."""

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return frozenset()

    def read(self, state: State) -> SignalReading:
        return SignalReading(float(len(state.question.text.split())))


def length_gate(context: PolicyContext) -> Gate:
    return make_gate(context, Length())


LENGTH_GATE = Strategy(
    length_gate, Role.GATE, calibrated=True, decides_once=True, replay=ReplayNeeds()
)
