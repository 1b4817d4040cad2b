"""What a pipeline may give for a question."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from argo_ml.recording.answers import UnreadableError, outcome_of


def test_a_text_is_an_answer() -> None:
    assert outcome_of("Emma", "none") == {"answer": "Emma"}


def test_log_probabilities_become_means_over_the_tokens() -> None:
    outcome = outcome_of({"answer": "Jane Austen", "token_logprobs": [-0.5, -1.5]}, "none")
    assert outcome == {"answer": "Jane Austen", "logprob": -1.0, "n_tokens": 2}


def test_those_of_other_tokens_give_entropy_and_margin() -> None:
    half, quarter = math.log(0.5), math.log(0.25)
    given = {"answer": "a", "token_logprobs": [half], "top_logprobs": [[quarter, half, quarter]]}
    outcome = outcome_of(given, "none")
    assert outcome["entropy"] == pytest.approx(1.5 * math.log(2))
    assert outcome["margin"] == pytest.approx(0.5)


def test_usage_and_passages_of_any_library_are_kept() -> None:
    passages = ["plain", {"text": "own", "similarity": 0.5}, SimpleNamespace(page_content="chain")]
    given = {"text": "a", "prompt_tokens": 7, "seconds": 0.5, "cost": 0.01, "passages": passages}
    outcome = outcome_of(given, "retrieve")
    assert [passage["text"] for passage in outcome["evidence"]] == ["plain", "own", "chain"]
    assert (outcome["prompt_tokens"], outcome["seconds"], outcome["cost"]) == (7, 0.5, 0.01)


def test_a_chat_message_brings_its_usage_and_log_probabilities() -> None:
    token = {"logprob": -0.1, "top_logprobs": [{"logprob": -0.1}, {"logprob": -2.5}]}
    message = SimpleNamespace(
        content="Paris",
        usage_metadata={"input_tokens": 12, "output_tokens": 1},
        response_metadata={"logprobs": {"content": [token]}},
    )
    outcome = outcome_of(message, "none")
    assert (outcome["answer"], outcome["prompt_tokens"], outcome["n_tokens"]) == ("Paris", 12, 1)
    assert outcome["margin"] == pytest.approx(1 - math.exp(-2.4))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "^None$"),
        (3.5, "3.5"),
        ({"answer": None}, "an answer whose text is None"),
        ({"answer": "a", "samples": ["a", "b"]}, "an answer with 'samples'"),
        ({"answer": "a", "passages": [7]}, "a passage 7, which has no text"),
    ],
)
def test_anything_else_is_refused(given: object, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        outcome_of(given, "retrieve")
