"""The gate on the calibrated probability that the answer without evidence is right."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.calibration.record import Calibration
from argo_ml.policies.base import Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import Gate, SignalReading, make_gate, root_confidences
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """1 - p-hat (Know Before You Fetch, arXiv 2606.29959, binary gating)."""

    calibration: Calibration

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return CONFIDENCE_PROBES

    def read(self, state: State) -> SignalReading:
        confidence = self.calibration.confidence(state)
        return SignalReading(1.0 - confidence, confidence)


def max_prob_gate(context: PolicyContext) -> Gate:
    calibration = context.calibrated
    scores = [1.0 - confidence for confidence in root_confidences(calibration)]
    return make_gate(context, Uncertainty(calibration), scores)
