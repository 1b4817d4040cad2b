"""TARG's variance gate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from argo_ml.calibration.signals import disagreement, draw_disagreement
from argo_ml.policies.base import AnswerNow, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import Gate, SignalReading, make_gate
from argo_ml.policies.gates.drafts import probed_answer, probes_for, sampled_texts
from argo_ml.types import Question


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Share of pairs that differ among 3 sampled drafts (TARG's small-N variance, 2511.09803).

    Of scored choices, the probability that two draws from their distribution differ; of a choice
    answered by number, the probability that a draw would differ from that answer.
    """

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return probes_for(question, Probe.SAMPLES)

    def read(self, state: State) -> SignalReading:
        if not state.question.choices:
            return SignalReading(disagreement(sampled_texts(state)))
        answer = probed_answer(state)
        if answer.probabilities:
            return SignalReading(draw_disagreement(answer.probabilities))
        return SignalReading(_text_uncertainty(answer))


def _text_uncertainty(answer: AnswerNow) -> float:
    """1 - p of the answer's text; 1 for a text without tokens."""
    if not answer.tokens:
        return 1.0
    return -math.expm1(math.fsum(token.log_probability for token in answer.tokens))


def variance_gate(context: PolicyContext) -> Gate:
    return make_gate(context, Disagreement())
