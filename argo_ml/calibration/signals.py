"""How sure an answer or a draft looks: the uncertainty signals that gates and features share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from argo_ml.state import AnswerNow
from argo_ml.types import TokenDetail


def largest_probability(answer: AnswerNow) -> float:
    """Probability of the choice taken; of a text, the geometric mean over its tokens."""
    if answer.probabilities:
        return max(answer.probabilities)
    return (
        math.exp(fmean(token.log_probability for token in answer.tokens)) if answer.tokens else 0.0
    )


def margin(answer: AnswerNow) -> float:
    """p(1) - p(2) of choices; of a text, the mean over tokens of 1 - exp(-(l1 - l2)).

    The latter is the same measure relative to p(1): a token's p(2) / p(1) is exp(-(l1 - l2)).
    """
    if answer.probabilities:
        first, second = sorted(answer.probabilities, reverse=True)[:2]
        return first - second
    return 1.0 - mean_closeness(answer.tokens) if answer.tokens else 0.0


def entropy(answer: AnswerNow) -> float:
    """Entropy (nats) of the distribution over choices; of a text, the mean over its tokens."""
    if answer.probabilities:
        return -sum(p * math.log(p) for p in answer.probabilities if p > 0)
    return mean_token_entropy(answer.tokens)


def mean_token_entropy(tokens: Sequence[TokenDetail]) -> float:
    """Mean over tokens of the entropy of the next token, in nats (TARG, arXiv 2511.09803)."""
    return fmean(token.entropy for token in tokens) if tokens else math.inf


def mean_closeness(tokens: Sequence[TokenDetail]) -> float:
    """Mean over tokens of exp(-(l1 - l2)): 1 where the two best are equal (TARG's margin)."""
    return fmean(math.exp(-token.gap) for token in tokens) if tokens else 1.0


def least_probability(tokens: Sequence[TokenDetail]) -> float:
    """Probability of the least probable token; 0 without any."""
    return min((math.exp(token.log_probability) for token in tokens), default=0.0)


def disagreement(texts: Sequence[str]) -> float:
    """Share of pairs of texts that differ, but for case and white space; 0 for fewer than two."""
    n_texts = len(texts)
    if n_texts < 2:
        return 0.0
    counts = Counter(" ".join(text.casefold().split()) for text in texts)
    n_equal = sum(count * (count - 1) for count in counts.values())
    return 1.0 - n_equal / (n_texts * (n_texts - 1))


def draw_disagreement(probabilities: Sequence[float]) -> float:
    """Probability that two draws from a distribution differ: 1 - sum p^2."""
    return 1.0 - sum(p * p for p in probabilities)
