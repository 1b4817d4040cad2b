"""How sure a caller's answer looked, from as much as the caller knows."""

from __future__ import annotations

import math

import pytest

from argo_ml.calibration.signals import largest_probability, margin, mean_token_entropy
from argo_ml.serving.questions import AnswerToken
from argo_ml.serving.signals import AnswerSignals, is_estimated
from argo_ml.state import AnswerNow
from argo_ml.types import Answer

SIGNALS = AnswerSignals((-2.0, -1.0, -0.1), (1.8, 1.0, 0.2), (0.1, 0.4, 0.9))


def test_known_signals_are_kept_as_means() -> None:
    tokens = [AnswerToken(logprob=-0.5, entropy=0.7, gap=1.0)] * 2
    details = SIGNALS.of_tokens(tokens)
    answer = AnswerNow(Answer("text"), (), details)
    assert largest_probability(answer) == pytest.approx(math.exp(-0.5))
    assert mean_token_entropy(details) == pytest.approx(0.7)
    assert margin(answer) == pytest.approx(1 - math.exp(-1.0))
    assert not is_estimated(tokens)


def test_entropy_and_margin_follow_from_the_most_probable_tokens() -> None:
    token = AnswerToken(logprob=math.log(0.6), top_logprobs=(math.log(0.6), math.log(0.4)))
    details = SIGNALS.of_tokens([token])
    entropy = -0.6 * math.log(0.6) - 0.4 * math.log(0.4)
    assert mean_token_entropy(details) == pytest.approx(entropy)
    assert margin(AnswerNow(Answer("text"), (), details)) == pytest.approx(1 - 0.4 / 0.6)


def test_what_a_caller_does_not_know_is_the_mean_of_the_calibrations_answers() -> None:
    tokens = [AnswerToken(logprob=-1.0)]
    details = SIGNALS.of_tokens(tokens)
    assert mean_token_entropy(details) == pytest.approx(1.0)
    assert is_estimated(tokens)


def test_nearer_answers_of_the_calibration_count_alone() -> None:
    logprobs = tuple(-float(number) for number in range(40, 0, -1))
    entropies = tuple(float(number) for number in range(40, 0, -1))
    signals = AnswerSignals(logprobs, entropies, (0.5,) * 40)
    details = signals.of_tokens([AnswerToken(logprob=-20.0)])
    assert mean_token_entropy(details) == pytest.approx(20.0, abs=1.0)
