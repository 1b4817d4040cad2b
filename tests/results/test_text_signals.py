"""Scalars of a text become tokens that the shared signals read the same scalars from."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from argo_ml.calibration.signals import (
    entropy,
    largest_probability,
    margin,
    mean_closeness,
    mean_token_entropy,
)
from argo_ml.results.text_signals import AFTER_ONE, MEANS, TextSignals, seen_first, seen_signals
from argo_ml.state import AnswerNow, Draft, Observations
from argo_ml.types import Answer, TokenDetail

ALL = frozenset(MEANS)
ROUNDING = 2**-52
"""Of numbers near 1: 1 - margin is one, and has no finer digits."""
TOKENS = (TokenDetail("a", -0.25, 0.5, 1.5), TokenDetail("b", -1.75, 2.0, math.inf))


@given(
    some.floats(-700, 0),
    some.floats(0, 20),
    some.floats(0, 1),
)
def test_signals_of_the_tokens_are_those_recorded(
    logprob: float, nats: float, closeness: float
) -> None:
    recorded = TextSignals(logprob=logprob, entropy=nats, margin=closeness)
    tokens = recorded.tokens(ALL)
    seen = AnswerNow(Answer("a text"), tokens=tokens)
    assert largest_probability(seen) == math.exp(logprob)
    assert entropy(seen) == mean_token_entropy(tokens) == nats
    assert margin(seen) == pytest.approx(closeness, rel=0, abs=ROUNDING)
    assert mean_closeness(tokens) == pytest.approx(1 - closeness, rel=1e-15, abs=ROUNDING)


def test_a_second_token_of_no_probability_fits_into_a_file() -> None:
    recorded = TextSignals(logprob=-0.1, entropy=0.0, margin=1.0)
    [token] = recorded.tokens(ALL)
    assert json.loads(json.dumps(token.gap, allow_nan=False)) == token.gap
    assert margin(AnswerNow(Answer("a text"), tokens=(token,))) == 1.0


def test_several_equal_tokens_have_the_same_means() -> None:
    recorded = TextSignals(logprob=-0.3, entropy=0.9, margin=0.7, n_tokens=3)
    seen = AnswerNow(Answer("2"), tokens=recorded.tokens(ALL, 3))
    assert math.fsum(token.log_probability for token in seen.tokens) == pytest.approx(-0.9)
    assert (largest_probability(seen), entropy(seen), margin(seen)) == pytest.approx(
        (math.exp(-0.3), 0.9, 0.7)
    )


def test_signals_of_tokens_are_means() -> None:
    found = TextSignals.of(TOKENS)
    assert (found.logprob, found.entropy, found.n_tokens) == (-1.0, 1.25, 2)
    assert found.margin == pytest.approx(1 - math.exp(-1.5) / 2)
    assert list(found.recorded) == ["logprob", "entropy", "margin", "n_tokens"]


def test_an_empty_text_has_no_tokens_and_lacks_nothing() -> None:
    found = TextSignals.of(())
    assert found.recorded == {"n_tokens": 0}
    assert all(map(found.has, MEANS))
    assert found.tokens(ALL) == ()


def test_an_impossible_token_has_no_logprob_to_record() -> None:
    found = TextSignals.of([TokenDetail("a", -math.inf, 0.5, 1.5)])
    assert not found.has("logprob")
    assert "logprob" not in found.recorded


def test_means_that_are_not_wanted_or_not_known_count_as_0() -> None:
    recorded = TextSignals(logprob=-0.3, margin=0.7)
    [token] = recorded.tokens(frozenset({"margin", "entropy"}))
    assert (token.log_probability, token.entropy) == (0.0, 0.0)
    assert token.gap == pytest.approx(-math.log(0.3))


def test_what_was_seen_first_is_of_the_answer_before_any_step() -> None:
    first, last = (AnswerNow(Answer(text), tokens=TOKENS[:n]) for n, text in ((1, "a"), (2, "b")))
    observations = Observations(answers=(first, last), draft=Draft("d", TOKENS), samples=("x", "y"))
    found = seen_first(observations)
    assert (found["answer"]["n_tokens"], found["draft"]["n_tokens"]) == (1, 2)
    assert found["samples"] == ["x", "y"]


def test_of_scored_choices_and_of_nothing_nothing_is_told() -> None:
    scored = AnswerNow(Answer("a", 0), probabilities=(0.7, 0.3))
    assert seen_first(Observations(answers=(scored,))) == {}
    assert seen_first(Observations(answers=(None,))) == {}
    assert seen_first(None) == {}


def test_the_answer_after_one_step_is_told_where_it_was_looked_at() -> None:
    first, second = (AnswerNow(Answer(text), tokens=TOKENS[:n]) for n, text in ((1, "a"), (2, "b")))
    found = seen_signals(Observations(answers=(None, second, first)))
    assert (found[AFTER_ONE]["n_tokens"], "answer" in found) == (2, False)
    for answers in ((first,), (first, None), (first, AnswerNow(Answer("c", 0), (0.6, 0.4)))):
        assert AFTER_ONE not in seen_signals(Observations(answers=answers))
    assert seen_signals(None) == {}
