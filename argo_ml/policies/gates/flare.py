"""FLARE: retrieve for the next sentence while some token of it is improbable (arXiv 2305.06983)."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from argo_ml.calibration.signals import least_probability
from argo_ml.policies.base import Decision, Draft, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import choose_threshold, not_probed
from argo_ml.types import Action, Expectation, StopReason

BETA = 0.4
"""The authors' beta for 2WikiMultihopQA (``look_ahead_mask_prob`` of their configuration)."""
PROBES = frozenset({Probe.TENTATIVE})


@dataclass(frozen=True, slots=True)
class Flare:
    """Retrieves at every step whose tentative sentence has a token of p <= theta, else stops.

    The score is 1 - the least p, and ``threshold`` is 1 - theta. The query is the sentence without
    its tokens of p <= beta (section 3.2, masked sentences as implicit queries); where that leaves
    no word, the sub-question. A stop leaves the answer to the synthesizer, where the paper keeps
    the sentence and goes on writing.
    """

    threshold: float
    beta: float = BETA

    def score(self, state: State) -> float:
        """1 - the least p of the tentative sentence. Raises `ConfigError` without that probe."""
        if state.observations.tentative is None:
            raise not_probed(state.question, "tentative sentence")
        return 1.0 - least_probability(state.observations.tentative.tokens)

    def required_probes(self, state: State) -> frozenset[Probe]:
        return PROBES

    def decide(self, state: State, rng: random.Random) -> Decision:
        tentative = state.observations.tentative
        if tentative is None:
            # At the step limit alone there is no next sub-question.
            return Decision(Action.STOP, StopReason.LIMIT)
        score = self.score(state)
        expected = Expectation(score=score)
        if score < self.threshold:
            return Decision(Action.STOP, StopReason.POLICY, expected=expected)
        return Decision(Action.RETRIEVE, query=masked(tentative, self.beta), expected=expected)


def masked(tentative: Draft, beta: float) -> str | None:
    """The sentence without its tokens of p <= ``beta``; None where no letter or digit is left."""
    kept = (
        token.text if math.exp(token.log_probability) > beta else " " for token in tentative.tokens
    )
    query = " ".join("".join(kept).split())
    return query if any(map(str.isalnum, query)) else None


def flare(context: PolicyContext) -> Flare:
    """Theta suits the calibration's questions as if there were only the first step."""
    questions = context.calibrated.questions
    scores = [Flare(math.inf).score(question.state()) for question in questions]
    return Flare(choose_threshold(context, scores))
