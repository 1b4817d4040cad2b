"""TARG's entropy gate."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.calibration.signals import entropy, mean_token_entropy
from argo_ml.policies.base import Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import Gate, SignalReading, make_gate
from argo_ml.policies.gates.drafts import draft_tokens, probed_answer, probes_for
from argo_ml.types import Question

MOST_NATS = 20.0
"""Above the entropy of any vocabulary; what a draft without tokens counts for."""


@dataclass(frozen=True, slots=True)
class Entropy:
    """Mean entropy of the next token over a greedy draft of 20, in nats (arXiv 2511.09803).

    Of scored choices, the entropy of their distribution.
    """

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return probes_for(question, Probe.DRAFT)

    def read(self, state: State) -> SignalReading:
        if state.question.choices:
            score = entropy(probed_answer(state))
        else:
            score = mean_token_entropy(draft_tokens(state))
        return SignalReading(min(score, MOST_NATS))


def entropy_gate(context: PolicyContext) -> Gate:
    return make_gate(context, Entropy())
