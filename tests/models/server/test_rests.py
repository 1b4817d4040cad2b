from __future__ import annotations

import email.utils
import time
from typing import Any

import httpx2
import pytest

from argo_ml.models.server.rests import rest_s


def rest(content: Any = None, **headers: str) -> float:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return rest_s(httpx2.Response(429, json=content, headers=named))


def test_retry_after_is_a_number_or_a_date() -> None:
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert rest(retry_after="2.5") == 2.5
    assert 28 < rest(retry_after=date) <= 30
    assert rest() == rest(retry_after="soon") == rest(retry_after="-3") == 0
    assert rest(retry_after="86400") == 600


def test_milliseconds_are_read_beside_it() -> None:
    assert rest(retry_after_ms="1500") == 1.5
    assert rest(retry_after="2", retry_after_ms="1500") == 2
    assert rest(retry_after_ms="soon") == 0


def test_gemini_says_it_in_the_details_of_its_error() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33s"}
    error = {"code": 429, "message": "You exceeded your quota.", "details": [{"a": 1}, info]}
    assert rest({"error": error}) == rest([{"error": error}]) == 33


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Rate limit reached. Please try again in 20s. Visit", 20),
        ("Please try again in 1m30.5s.", 90.5),
        ("Please try again in 250ms.", 0.25),
        ("Please try again in 7m12s", 432),
        ("Please try again in 1h2m3s", 600),
        ("Please retry in 33.2s.", 33.2),
        ("Please try again later.", 0),
    ],
)
def test_openai_says_it_in_words(said: str, expected: float) -> None:
    assert rest({"error": {"message": said}}) == pytest.approx(expected)


@pytest.mark.parametrize(
    "content", ["busy", [], {"error": "busy"}, {"error": {"details": {"retryDelay": 3}}}]
)
def test_other_answers_ask_for_none(content: object) -> None:
    assert rest(content) == 0
