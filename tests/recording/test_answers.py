"""What a pipeline may give for a question."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
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
    passages: list[object] = ["plain", {"text": "own", "similarity": 0.5}]
    passages += [SimpleNamespace(page_content="chain"), {"page_content": "saved", "metadata": {}}]
    given = {"text": "a", "prompt_tokens": 7, "seconds": 0.5, "cost": 0.01, "passages": passages}
    outcome = outcome_of(given, "retrieve")
    assert [passage["text"] for passage in outcome["evidence"]] == [
        "plain",
        "own",
        "chain",
        "saved",
    ]
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


def test_none_is_not_given() -> None:
    given = {"answer": "a", "prompt_tokens": None, "seconds": None, "token_logprobs": None}
    assert outcome_of(given, "none") == {"answer": "a"}
    passage = {"text": "own", "similarity": None}
    outcome = outcome_of({"text": "a", "answer": None, "passages": [passage]}, "retrieve")
    assert outcome == {"answer": "a", "evidence": [{"text": "own"}]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "Paris", "annotations": []}], "Paris"),
        (
            [{"type": "thinking", "thinking": "?"}, {"type": "text", "text": "Pa"}, "ris"],
            "Paris",
        ),
        ([{"type": "tool_use", "name": "search"}], ""),
    ],
)
def test_a_chat_message_of_blocks_says_their_text(content: list[object], text: str) -> None:
    assert outcome_of(SimpleNamespace(content=content), "retrieve")["answer"] == text


def test_what_a_message_of_langchain_says_is_its_text() -> None:
    messages = pytest.importorskip("langchain_core.messages")
    content = [{"type": "reasoning", "summary": []}, {"type": "text", "text": "Paris"}]
    message = messages.AIMessage(content=content)
    assert outcome_of(message, "none") == {"answer": message.text}
    assert outcome_of({"answer": message.text}, "none") == {"answer": "Paris"}


def test_a_chat_message_may_leave_out_any_part_of_its_usage() -> None:
    message = SimpleNamespace(content="Paris", usage_metadata={"output_tokens": 1})
    assert outcome_of(message, "none") == {"answer": "Paris", "completion_tokens": 1}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"logprobs": [-0.5]}, r"a message whose logprobs is \[-0.5\]"),
        ({"logprobs": {"content": [{"token": "a"}]}}, "a log-probability None"),
        ({"logprobs": {"content": [-0.5]}}, "a log-probability None"),
    ],
)
def test_log_probabilities_of_another_form_are_refused(
    metadata: dict[str, object], message: str
) -> None:
    with pytest.raises(UnreadableError, match=message):
        outcome_of(SimpleNamespace(content="a", response_metadata=metadata), "none")


def test_numbers_and_arrays_of_numpy_are_those_of_python() -> None:
    half, quarter = math.log(0.5), math.log(0.25)
    given = {
        "answer": np.str_("Paris"),
        "token_logprobs": np.array([half, half]),
        "top_logprobs": [np.array([half, quarter]), [np.float64(half), np.float64(quarter)]],
        "probabilities": [np.float32(0.5), np.float32(0.5)],
        "prompt_tokens": np.int64(7),
        "passages": np.array([{"text": "own", "similarity": np.float32(0.5)}]),
    }
    outcome = outcome_of(given, "retrieve")
    assert outcome["logprob"] == half
    assert outcome["margin"] == pytest.approx(0.5)
    assert json.loads(json.dumps(outcome)) == outcome
    assert outcome["evidence"] == [{"text": "own", "similarity": 0.5}]


def test_a_chat_message_may_have_log_probabilities_of_numpy() -> None:
    content = [{"logprob": np.float32(-0.5), "top_logprobs": []}]
    message = SimpleNamespace(content="Paris", response_metadata={"logprobs": {"content": content}})
    assert outcome_of(message, "none") == {"answer": "Paris", "logprob": -0.5, "n_tokens": 1}


def test_a_retrieval_that_finds_nothing_says_so() -> None:
    given = {"answer": "a", "passages": []}
    assert outcome_of(given, "retrieve") == {"answer": "a", "evidence": []}
    assert outcome_of({**given, "passages": np.array([])}, "retrieve")["evidence"] == []


def test_an_empty_answer_has_no_tokens_where_its_log_probabilities_are_given() -> None:
    given = {"answer": " ", "token_logprobs": []}
    assert outcome_of(given, "none") == {"answer": " ", "n_tokens": 0}
    assert outcome_of({"answer": "a", "token_logprobs": []}, "none") == {"answer": "a"}
    assert outcome_of("", "none") == {"answer": ""}


def test_an_answer_without_retrieval_has_no_passages() -> None:
    assert outcome_of({"answer": "a", "passages": []}, "none") == {"answer": "a"}
    with pytest.raises(UnreadableError, match="with passages, which one without retrieval has n"):
        outcome_of({"answer": "a", "passages": ["p"]}, "none")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "^None$"),
        (3.5, "3.5"),
        ({"answer": None}, "an answer whose text is None"),
        ({"answer": "a", "samples": ["a", "b"]}, "an answer with 'samples'"),
        ({"answer": "a", "passages": [7]}, "a passage 7, which has no text"),
        ({"answer": "a", "passages": [{"body": "b"}]}, "a passage {'body': 'b'}, which has no te"),
    ],
)
def test_anything_else_is_refused(given: object, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        outcome_of(given, "retrieve")
