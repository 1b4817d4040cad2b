"""Requests to a Chroma server: again after what may pass, and never without an end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from argo_ml.corpus.chroma_transport import PatientTransport
from argo_ml.errors import CorpusIndexError
from argo_ml.models.server.fleet import RetryPolicy

QUICK = RetryPolicy(timeout_s=0.3, max_retries=2, first_pause_s=0.01, longest_pause_s=0.02)


def client(handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    inner = httpx.MockTransport(handle)
    return httpx.Client(transport=PatientTransport(inner, QUICK, CorpusIndexError))


def answering(*answers: int | type[httpx.TransportError]) -> Callable[..., httpx.Response]:
    """Gives these answers one after the other, statuses or errors."""
    left = list(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        answer = left.pop(0)
        if isinstance(answer, int):
            return httpx.Response(answer, json={"tried": len(answers) - len(left)})
        raise answer("lost")

    return handle


def test_a_request_is_made_again_after_what_may_pass() -> None:
    asked = client(answering(httpx.ConnectError, 503, 200))

    assert asked.get("http://chroma/").json() == {"tried": 3}


def test_a_server_that_is_gone_is_an_error_that_counts_the_tries() -> None:
    asked = client(answering(*[httpx.ConnectError] * 3))

    with pytest.raises(CorpusIndexError, match="ConnectError, 3 tries"):
        asked.get("http://chroma/")


def test_the_last_refusal_is_the_answer() -> None:
    assert client(answering(500, 500, 500)).get("http://chroma/").status_code == 500


def test_a_refusal_for_good_is_not_asked_for_again() -> None:
    assert client(answering(400)).get("http://chroma/").json() == {"tried": 1}


def test_an_answer_byte_by_byte_ends_at_the_deadline() -> None:
    def drip(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=slowly())

    def slowly() -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b" "

    with pytest.raises(CorpusIndexError, match="ReadTimeout"):
        client(drip).get("http://chroma/")


def test_a_compressed_body_is_read() -> None:
    def compressed(request: httpx.Request) -> httpx.Response:
        import gzip

        return httpx.Response(
            200, content=gzip.compress(b'{"ok": 1}'), headers={"content-encoding": "gzip"}
        )

    assert client(compressed).get("http://chroma/").json() == {"ok": 1}
