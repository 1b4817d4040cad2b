"""TARG's margin gate."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.calibration.signals import mean_closeness
from argo_ml.policies.base import Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import Gate, SignalReading, make_gate
from argo_ml.policies.gates.drafts import draft_tokens, probed_answer, probes_for
from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class Closeness:
    """Mean over a greedy draft of exp(-(l1 - l2)), l1 and l2 the two largest logits.

    TARG (arXiv 2511.09803) has exp(-(l1 - l2) / beta) and tunes beta; with beta = 1 a token counts
    for p(2) / p(1). Of scored choices, the same of their distribution.
    """

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return probes_for(question, Probe.DRAFT)

    def read(self, state: State) -> SignalReading:
        if not state.question.choices:
            return SignalReading(mean_closeness(draft_tokens(state)))
        answer = probed_answer(state)
        if not answer.probabilities:
            return SignalReading(mean_closeness(answer.tokens))
        first, second = sorted(answer.probabilities, reverse=True)[:2]
        return SignalReading(second / first)


def margin_gate(context: PolicyContext) -> Gate:
    return make_gate(context, Closeness())
