"""The gate on what a retrieval is predicted to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.calibration.plans import NONE, ONCE
from argo_ml.calibration.record import Calibration, CalibrationQuestion
from argo_ml.policies.base import Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import Gate, SignalReading, has_outcomes, make_gate
from argo_ml.policies.gates.learned import ClassModel, cross_fit
from argo_ml.state import CONFIDENCE_PROBES
from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class Benefit:
    """P(u = 1) - P(u = -1), u = correct with retrieval - correct without.

    BUR-linear of Qian et al. (arXiv 2607.24010, equation 1 and section 3).
    """

    calibration: Calibration
    model: ClassModel

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return CONFIDENCE_PROBES

    def read(self, state: State) -> SignalReading:
        inputs = self.calibration.inputs(state)
        gain = expected_utility(self.model.probabilities(inputs))
        return SignalReading(gain, self.calibration.confidence(state, inputs), gain)


def benefit_gate(context: PolicyContext) -> Gate:
    calibration = context.calibrated
    rows = [calibration.inputs(question.state()) for question in calibration.questions]
    changes = [utility(question) for question in calibration.questions]
    fitted = cross_fit(rows, changes, calibration.optional_features)
    scores = [expected_utility(probabilities) for probabilities in fitted.out_of_fold]
    return make_gate(context, Benefit(calibration, fitted.model), scores)


def utility(question: CalibrationQuestion) -> int | None:
    """u in {-1, 0, 1}; None where either outcome is missing."""
    if not has_outcomes(question, NONE, ONCE):
        return None
    return int(question.outcomes[ONCE]) - int(question.outcomes[NONE])


def expected_utility(probabilities: Mapping[int, float]) -> float:
    return probabilities.get(1, 0.0) - probabilities.get(-1, 0.0)
