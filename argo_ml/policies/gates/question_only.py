"""A gate on the question alone, without any call of the model (arXiv 2505.04253)."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.calibration.plans import NONE
from argo_ml.calibration.record import Projection
from argo_ml.policies.base import Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import Gate, SignalReading, has_outcomes, make_gate
from argo_ml.policies.gates.learned import ClassModel, cross_fit
from argo_ml.policies.gates.questions import question_features
from argo_ml.types import Question

PROBES = frozenset({Probe.VECTOR})


@dataclass(frozen=True, slots=True)
class ErrorProbability:
    """P(the answer without evidence is wrong), by logistic regression on the question.

    The paper's features are of the question's entities (frequency, popularity, triples of a
    knowledge graph), its type and its complexity. Here they are of its words, which need no
    knowledge graph, and the projections of its embedding.
    """

    projection: Projection
    model: ClassModel

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return PROBES

    def read(self, state: State) -> SignalReading:
        inputs = question_inputs(state, self.projection)
        return SignalReading(self.model.probabilities(inputs).get(1, 0.0))


def question_only(context: PolicyContext) -> Gate:
    calibration = context.calibrated
    rows = [
        question_inputs(question.state(), calibration.projection)
        for question in calibration.questions
    ]
    labels = [
        int(not question.outcomes[NONE]) if has_outcomes(question, NONE) else None
        for question in calibration.questions
    ]
    fitted = cross_fit(rows, labels, (len(calibration.projection.components),))
    scores = [probabilities.get(1, 0.0) for probabilities in fitted.out_of_fold]
    return make_gate(context, ErrorProbability(calibration.projection, fitted.model), scores)


def question_inputs(state: State, projection: Projection) -> tuple[float, ...]:
    """Features of the question, then the projections of its embedding."""
    return (*question_features(state.question), *projection.project(state.observations.vector))
