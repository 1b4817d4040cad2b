"""How sure a caller's answer looked, in the terms that p-hat was fitted on.

Callers often know the log-probabilities of their tokens alone, while p-hat was fitted on the
entropy and the margin of each token's distribution as well. What is not known is taken to be as it
was, on average, for the answers of the calibration whose tokens were about as probable.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from argo_ml.calibration.record import Calibration
from argo_ml.models.server.details import lower_entropy
from argo_ml.results.text_signals import TextSignals
from argo_ml.serving.questions import AnswerToken
from argo_ml.types import TokenDetail

NEIGHBOURS = 15
"""Answers of the calibration whose mean stands for what a caller does not know."""


@dataclass(frozen=True, slots=True)
class AnswerSignals:
    """Signals of the calibration's answers, by the mean log-probability of their tokens."""

    logprobs: tuple[float, ...]
    entropies: tuple[float, ...]
    margins: tuple[float, ...]

    @classmethod
    def of(cls, calibration: Calibration) -> AnswerSignals:
        texts = [question.state().observations.answer for question in calibration.questions]
        seen = [TextSignals.of(text.tokens) for text in texts if text is not None and text.tokens]
        rows = sorted(
            (signals.logprob, signals.entropy, signals.margin)
            for signals in seen
            if signals.logprob is not None
            and signals.entropy is not None
            and signals.margin is not None
        )
        logprobs, entropies, margins = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(logprobs, entropies, margins)

    def of_tokens(self, tokens: Sequence[AnswerToken]) -> tuple[TokenDetail, ...]:
        """Equal tokens of the means that ``tokens`` have or would have."""
        logprob = fmean(min(token.logprob, 0.0) for token in tokens)
        entropies, gaps = [_entropy(token) for token in tokens], [_gap(token) for token in tokens]
        margins = [None if gap is None else 1.0 - math.exp(-gap) for gap in gaps]
        entropy, margin = _mean(entropies), _mean(margins)
        if entropy is None:
            entropy = self._near(logprob, self.entropies)
        if margin is None:
            margin = self._near(logprob, self.margins)
        signals = TextSignals(logprob=logprob, entropy=entropy, margin=margin)
        return signals.tokens(frozenset({"logprob", "entropy", "margin"}))

    def _near(self, logprob: float, values: Sequence[float]) -> float | None:
        if not values:
            return None
        place = bisect_left(self.logprobs, logprob)
        begin = max(0, min(place - NEIGHBOURS // 2, len(values) - NEIGHBOURS))
        return fmean(values[begin : begin + NEIGHBOURS])


def is_estimated(tokens: Sequence[AnswerToken]) -> bool:
    """Whether some signal of the answer is not the caller's own."""
    return any(_entropy(token) is None or _gap(token) is None for token in tokens)


def _entropy(token: AnswerToken) -> float | None:
    if token.entropy is not None or len(token.top_logprobs) < 2:
        return token.entropy
    return lower_entropy(_known(token))


def _gap(token: AnswerToken) -> float | None:
    if token.gap is not None or len(token.top_logprobs) < 2:
        return token.gap
    first, second = sorted(token.top_logprobs, reverse=True)[:2]
    return first - second


def _mean(values: Sequence[float | None]) -> float | None:
    """None where one of them is not known."""
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _known(token: AnswerToken) -> tuple[float, ...]:
    if min(abs(value - token.logprob) for value in token.top_logprobs) < 1e-9:
        return token.top_logprobs
    return (*token.top_logprobs, token.logprob)
