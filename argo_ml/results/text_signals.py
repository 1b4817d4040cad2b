"""How sure a text looked, as means over its tokens: what a file of outcomes has of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from argo_ml.calibration.signals import mean_closeness, mean_token_entropy
from argo_ml.state import Observations
from argo_ml.types import TokenDetail

MEANS = ("logprob", "entropy", "margin")
MOST_TOKENS = 100_000
"""More than any model writes in an answer."""
WIDEST_GAP = 700.0
"""Stands for a second token of no probability at all, in numbers that a file can hold."""


class Fields(BaseModel):
    """A part of a line of outcomes: no unknown fields, no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TextSignals(Fields):
    """Means over the tokens of a text; None is not recorded.

    ``logprob`` is the natural logarithm of a token's probability, ``entropy`` (nats) that of the
    distribution it comes from, and ``margin`` is 1 - p(2) / p(1) of that distribution's two most
    probable tokens. An empty text has ``n_tokens`` 0 and no means.
    """

    logprob: float | None = Field(None, le=0, allow_inf_nan=False)
    entropy: float | None = Field(None, ge=0, allow_inf_nan=False)
    margin: float | None = Field(None, ge=0, le=1)
    n_tokens: int | None = Field(None, ge=0, le=MOST_TOKENS)

    @classmethod
    def of(cls, tokens: Sequence[TokenDetail]) -> TextSignals:
        if not tokens:
            return cls(n_tokens=0)
        logprob = fmean(token.log_probability for token in tokens)
        return cls(
            logprob=logprob if math.isfinite(logprob) else None,
            entropy=mean_token_entropy(tokens),
            margin=1.0 - mean_closeness(tokens),
            n_tokens=len(tokens),
        )

    @property
    def recorded(self) -> dict[str, Any]:
        """As a line has them."""
        return self.model_dump(exclude_none=True)

    def has(self, name: str) -> bool:
        """Whether a mean is known; those of an empty text are."""
        return self.n_tokens == 0 or getattr(self, name) is not None

    def tokens(self, names: AbstractSet[str], n_tokens: int = 1) -> tuple[TokenDetail, ...]:
        """Equal tokens of these means, so that `argo_ml.calibration.signals` finds them again.

        Only the means in ``names`` are kept; the others count as 0.
        """
        if self.n_tokens == 0:
            return ()
        logprob, entropy, margin = (
            (getattr(self, name) or 0.0) if name in names else 0.0 for name in MEANS
        )
        gap = -math.log1p(-margin) if margin < 1 else WIDEST_GAP
        return (TokenDetail("", logprob, entropy, gap),) * n_tokens


AFTER_ONE = "after_one_step"
"""What was seen of the answer after one step, beside what was before."""


def seen_signals(observations: Observations | None) -> dict[str, Any]:
    """What was seen before the first step, and how sure the answer after it looked where that was
    looked at, as a line of trajectories has them."""
    signals = seen_first(observations)
    now = observations.answers[1] if observations and len(observations.answers) > 1 else None
    if now is not None and not now.probabilities:
        signals[AFTER_ONE] = TextSignals.of(now.tokens).recorded
    return signals


def seen_first(observations: Observations | None) -> dict[str, Any]:
    """What was seen before the first step.

    Nothing of choices that were scored: their scores say all.
    """
    signals: dict[str, Any] = {}
    if observations is None:
        return signals
    answer = observations.answers[0] if observations.answers else None
    if answer is not None and not answer.probabilities:
        signals["answer"] = TextSignals.of(answer.tokens).recorded
    if observations.draft is not None:
        signals["draft"] = TextSignals.of(observations.draft.tokens).recorded
    if observations.samples:
        signals["samples"] = list(observations.samples)
    return signals
