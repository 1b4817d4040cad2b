"""Requests beyond a model's context, through the scripted model and the cache of calls."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from argo_ml.models.base import (
    Completion,
    Generation,
    InterruptedRequests,
    Prompt,
    Scoring,
    UnfinishedError,
)
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.scripted import ScriptedModel, Table
from argo_ml.models.unfit import SomeUnfitError, answered_and_refused, run_fitting

LONG = "word " * 20
ANSWERED = {0: "one", 1: "three"}
"""By their place among the requests that a model takes."""


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(Table(default="echo", context=12))


def generation(text: str) -> Generation:
    return Generation(Prompt("Be brief.", text), max_new_tokens=4)


def test_all_but_the_unfit_requests_are_answered(model: ScriptedModel) -> None:
    with pytest.raises(SomeUnfitError) as caught:
        model.generate([generation("one"), generation(LONG), generation("two")])

    assert caught.value.refused == {
        1: "a prompt and its answer need 26 words, the model takes 12",
    }
    assert {i: done.text for i, done in caught.value.finished.items()} == {0: "one", 2: "two"}


def test_a_choice_counts_as_words_that_are_asked_for(model: ScriptedModel) -> None:
    short = Scoring(Prompt("Be brief.", "one two three"), ("a", "b"))
    long = Scoring(Prompt("Be brief.", "one two three"), ("a", "b " * 10))

    assert len(model.score([short])) == 1
    with pytest.raises(SomeUnfitError, match="need 15 words"):
        model.score([short, long])


def test_the_context_is_no_part_of_what_a_call_is_known_by() -> None:
    wide = ScriptedModel(Table(default="echo", context=1000))
    assert wide.identity == ScriptedModel(Table(default="echo")).identity


@pytest.mark.parametrize("slice_size", [1, 2, 64])
def test_the_cache_keeps_what_was_answered_beside_the_unfit(
    model: ScriptedModel, tmp_path: Path, slice_size: int
) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    requests = [generation("one"), generation(LONG), generation("two"), generation(LONG)]

    with pytest.raises(SomeUnfitError) as caught:
        CachingModel(model, cache, "run", slice_size).generate(requests)

    assert sorted(caught.value.refused) == [1, 3]
    assert sorted(caught.value.finished) == [0, 2]
    assert cache.stats().entries["generate"] == 2


def test_a_longer_context_is_asked_for_the_refused_alone(
    model: ScriptedModel, tmp_path: Path
) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    requests = [generation("one"), generation(LONG)]
    with pytest.raises(SomeUnfitError):
        CachingModel(model, cache, "first").generate(requests)

    wide = CachingModel(ScriptedModel(Table(default="echo")), cache, "second")

    assert [done.paid for done in wide.generate(requests)] == [False, True]


@pytest.mark.parametrize(
    "error", [UnfinishedError("out of memory", ANSWERED), InterruptedRequests(ANSWERED, 0)]
)
def test_what_was_answered_before_the_end_has_its_place_among_all_requests(error: Any) -> None:
    def run(fitting: list[int]) -> list[Completion]:
        raise error

    with pytest.raises(type(error)) as caught:
        run_fitting(run, 4, refused={0: "too long", 2: "too long"})

    assert caught.value.finished == {1: "one", 3: "three"}


def test_an_error_of_some_unfit_requests_survives_the_way_between_processes() -> None:
    sent = SomeUnfitError({1: "too long"}, {0: "one"})
    got = pickle.loads(pickle.dumps(sent))
    assert (str(got), got.refused, got.finished) == ("too long", {1: "too long"}, {0: "one"})


def test_too_few_responses_are_noticed() -> None:
    with pytest.raises(ValueError, match="shorter"):
        answered_and_refused(lambda requests: list[Completion](), [generation("one")])
    with pytest.raises(ValueError, match="shorter"):
        run_fitting(lambda fitting: list[Completion](), 2, {0: "too long"})
