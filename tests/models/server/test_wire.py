from __future__ import annotations

from typing import Any

import httpx2
import pytest

from argo_ml.errors import ModelError
from argo_ml.models.server.wire import (
    AwayError,
    ChatCompletions,
    Completions,
    GarbageError,
    LimitError,
    LogProbs,
    ModelList,
    NoAccessError,
    PassingError,
    RefusedError,
    UnfitPromptError,
    read,
)


def response(status: int, content: Any = None, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json=content, headers=headers)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529])
def test_what_may_pass(status: int) -> None:
    with pytest.raises(PassingError, match=f"HTTP {status}"):
        read(response(status, {"detail": "busy"}), ModelList)


@pytest.mark.parametrize(
    "content",
    [
        {"error": {"message": "no such thing"}},
        {"error": "no such thing"},
        {"message": "no such thing"},
        {"detail": "no such thing"},
        [{"error": {"message": "no such thing", "status": "NOT_FOUND"}}],
        {"error": {"metadata": {"raw": "no such thing"}}},
        {"error": {"metadata": {"raw": '{"error": {"message": "no such thing"}}'}}},
        {"error": {"metadata": {"raw": {"message": "no such thing"}}}},
    ],
)
def test_a_refusal_says_what_the_server_says(content: Any) -> None:
    with pytest.raises(RefusedError, match=r"^HTTP 404 Not Found \(no such thing\)$"):
        read(response(404, content), ModelList)


def test_a_gateway_and_the_server_behind_it_are_both_heard() -> None:
    behind = '{"error": {"message": "Unsupported parameter.", "param": "stop"}}'
    error = {"message": "Provider returned error", "metadata": {"raw": behind}}
    with pytest.raises(UnfitPromptError, match=r"\(Provider .*: Unsupported parameter\.: stop\)$"):
        read(response(400, {"error": error}), Completions)


@pytest.mark.parametrize(
    "said",
    [
        "API key not valid. Please pass a valid API key.",
        "Missing or invalid Authorization header.",
        "Incorrect API key provided: ***.",
    ],
)
def test_a_key_that_is_refused_as_a_bad_request_names_its_variable(said: str) -> None:
    with pytest.raises(NoAccessError, match=r"HTTP 400 .*; set ARGO_ML_API_KEY"):
        read(response(400, [{"error": {"code": 400, "message": said}}]), ModelList)


def test_a_refusal_without_words_has_its_status() -> None:
    with pytest.raises(RefusedError, match=r"^HTTP 418 I'm a Teapot$"):
        read(httpx2.Response(418, content=b"\xff"), ModelList)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_too_long_or_not_liked_is_unfit(status: int) -> None:
    content = {"error": {"message": "This model's maximum context length is 8 tokens"}}
    with pytest.raises(UnfitPromptError, match="maximum context length is 8 tokens"):
        read(response(status, content), Completions)


def test_a_model_that_is_not_there_is_no_fault_of_the_request() -> None:
    with pytest.raises(RefusedError) as caught:
        read(response(404, {}), Completions)
    assert not isinstance(caught.value, UnfitPromptError)


@pytest.mark.parametrize("status", [401, 403])
def test_no_access_names_the_variable_of_the_key(status: int) -> None:
    with pytest.raises(NoAccessError, match="set ARGO_ML_API_KEY"):
        read(response(status, {}), ModelList)


@pytest.mark.parametrize("content", [b"<html>\n<body>", b"", b"{}", b'{"data": 3}', b"\xff\xfe"])
def test_garbage_is_shown(content: bytes) -> None:
    with pytest.raises(GarbageError, match="no answer of an OpenAI-compatible server") as caught:
        read(httpx2.Response(200, content=content), ModelList)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None}, "none", "absent"])
def test_an_answer_without_its_counts_is_an_answer(usage: object) -> None:
    content: dict[str, Any] = {"choices": [{"text": "Paris"}], "usage": usage}
    if usage == "absent":
        del content["usage"]

    answer = read(response(200, content), Completions)

    assert (answer.choices[0].text, answer.usage) == ("Paris", None)


@pytest.mark.parametrize(
    "count", ["-1", "1e400", "9223372036854775808", "9" * 5000, "1.5", '"many"', "[]", "NaN"]
)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_a_count_that_cannot_be_one_is_a_bad_answer(name: str, count: str) -> None:
    other = {"prompt_tokens": 1, "completion_tokens": 1}
    del other[name]
    usage = f'{{"{name}": {count}, {str(other)[1:]}'.replace("'", '"')
    content = f'{{"choices": [{{"text": "Paris"}}], "usage": {usage}}}'.encode()

    with pytest.raises(GarbageError, match=rf"\(usage.*{name}: |no answer of an") as caught:
        read(httpx2.Response(200, content=content), Completions)

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", ["1e308", "1e400", "NaN", "Infinity", "7.5"])
def test_a_log_probability_above_0_is_a_bad_answer(value: str) -> None:
    logprobs = f'{{"token_logprobs": [null, {value}]}}'
    content = f'{{"choices": [{{"text": "a", "logprobs": {logprobs}}}]}}'.encode()

    with pytest.raises(GarbageError, match=r"is no log-probability"):
        read(httpx2.Response(200, content=content), Completions)


@pytest.mark.parametrize(
    "content", [b'{"error": ' * 60 + b'"no"' + b"}" * 60, b"[" * 50_000, b"x" * 1_000_000]
)
def test_the_reason_of_a_failure_is_read_within_bounds(content: bytes) -> None:
    with pytest.raises(RefusedError, match=r"^HTTP 404 Not Found") as caught:
        read(httpx2.Response(404, content=content), ModelList)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "New "}, {"type": "text", "text": "York"}],
        [{"type": "reasoning", "summary": []}, {"text": "New York"}],
        ["New ", "York"],
        "New York",
    ],
)
def test_a_message_in_parts_is_their_text(content: object) -> None:
    answer = read(response(200, {"choices": [{"message": {"content": content}}]}), ChatCompletions)

    assert answer.choices[0].message.content == "New York"


@pytest.mark.parametrize("content", [{}, {"unexpected": True}])
def test_what_is_no_chat_was_not_withheld(content: dict[str, Any]) -> None:
    with pytest.raises(GarbageError, match="no answer of an OpenAI-compatible server"):
        read(response(200, content), ChatCompletions)


def test_an_impossible_token_has_a_finite_log_probability() -> None:
    content = b'{"token_logprobs": [null, -0.5, -Infinity]}'

    assert LogProbs.model_validate_json(content).token_logprobs == [None, -0.5, -9999.0]


FLAGGED = 'openai/m requires moderation on X. Your input was flagged for "violence".'


@pytest.mark.parametrize("status", [200, 403])
def test_what_moderation_refuses_is_unfit(status: int) -> None:
    content = {"error": {"code": 403, "message": FLAGGED}}
    with pytest.raises(UnfitPromptError, match="was flagged"):
        read(response(status, content), ChatCompletions)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (429, LimitError),
        ("500", PassingError),
        ("502", AwayError),
        (504, AwayError),
        (400, UnfitPromptError),
        (401, NoAccessError),
    ],
)
def test_an_error_within_an_answer_is_what_its_code_says(
    code: int | str, expected: type[ModelError]
) -> None:
    content = {"error": {"code": code, "message": "no such luck"}, "choices": None}
    with pytest.raises(ModelError, match=rf"HTTP 200, error {code} \(no such luck\)") as caught:
        read(response(200, content), ChatCompletions)
    assert type(caught.value) is expected


@pytest.mark.parametrize("error", ["no model is up", {"message": "no model is up", "code": "gone"}])
def test_an_error_without_a_status_says_what_it_is(error: object) -> None:
    with pytest.raises(GarbageError, match=r"^answers with an error \(no model is up\)$"):
        read(response(200, {"choices": None, "error": error}), ChatCompletions)


def broken(**choice: Any) -> httpx2.Response:
    return response(200, {"choices": [{"message": {"content": "The capi"}, **choice}]})


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
def test_an_answer_that_is_broken_off_may_pass(reason: str) -> None:
    with pytest.raises(PassingError, match=rf"broken an answer off \(finish_reason={reason}\)"):
        read(broken(finish_reason=reason), ChatCompletions)
    text = {"choices": [{"text": "The capi", "finish_reason": reason}]}
    with pytest.raises(PassingError, match="broken an answer off"):
        read(response(200, text), Completions)


def test_what_broke_an_answer_off_is_said_and_decides() -> None:
    error = {"code": 502, "message": "Provider disconnected"}
    with pytest.raises(PassingError, match=r"off \(Provider disconnected\)"):
        read(broken(finish_reason="error", error=error), ChatCompletions)
    with pytest.raises(UnfitPromptError, match="was flagged"):
        read(broken(error={"code": 403, "message": FLAGGED}), ChatCompletions)


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls", None])
def test_an_answer_that_ended_otherwise_is_whole(reason: str | None) -> None:
    answer = read(broken(finish_reason=reason, error=None), ChatCompletions)
    assert answer.choices[0].message.text == "The capi"
