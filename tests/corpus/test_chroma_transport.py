"""Requests to a Chroma server: again after what may pass, and never without an end."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from builders.raw_server import sending

from argo_ml.corpus.chroma_transport import PatientTransport
from argo_ml.corpus.server_store import ServerStore
from argo_ml.errors import CorpusIndexError
from argo_ml.interruption import finishing_batches
from argo_ml.models.server.deadlines import hold_deadlines
from argo_ml.models.server.fleet import RetryPolicy

QUICK = RetryPolicy(timeout_s=0.3, max_retries=2, first_pause_s=0.01, longest_pause_s=0.02)
ONCE = RetryPolicy(timeout_s=0.6, max_retries=0)
ROOMY = RetryPolicy(timeout_s=30, max_retries=0, largest_mb=1)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


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


def test_after_a_stop_nothing_is_tried_again() -> None:
    def stop_and_fail(request: httpx.Request) -> httpx.Response:
        os.kill(os.getpid(), signal.SIGTERM)
        return httpx.Response(503)

    with pytest.raises(KeyboardInterrupt), finishing_batches():
        client(stop_and_fail).get("http://chroma/")


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
        return httpx.Response(
            200, content=gzip.compress(b'{"ok": 1}'), headers={"content-encoding": "gzip"}
        )

    assert client(compressed).get("http://chroma/").json() == {"ok": 1}


@contextlib.contextmanager
def connected(policy: RetryPolicy) -> Iterator[httpx.Client]:
    """A client with connections, as Chroma's."""
    with httpx.Client(timeout=None) as plain:
        hold_deadlines(plain)
        transport = PatientTransport(plain._transport, policy, CorpusIndexError)
        with httpx.Client(transport=transport) as patient:
            yield patient


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize(
    "parts",
    [
        bytewise(HEAD + b"X: " + b"x" * 1000),
        [HEAD, b"Content-Length: 1000\r\n\r\n", *bytewise(b" " * 1000)],
    ],
    ids=["headers", "body"],
)
def test_the_deadline_holds_for_headers_and_body_byte_by_byte(parts: list[bytes]) -> None:
    started = time.monotonic()
    with (
        sending(parts, pause_s=0.1) as url,
        connected(ONCE) as asked,
        pytest.raises(CorpusIndexError, match="ReadTimeout, 1 tries"),
    ):
        asked.get(url)
    assert time.monotonic() - started < 5


def test_an_endless_body_ends_at_the_limit() -> None:
    endless = itertools.chain([HEAD + b"\r\n"], itertools.repeat(b" " * 65_536))
    with (
        sending(endless) as url,
        connected(ROOMY) as asked,
        pytest.raises(CorpusIndexError, match="answers more than 1 MB, 1 tries"),
    ):
        asked.get(url)


def test_a_small_body_that_unpacks_to_more_ends_at_the_limit() -> None:
    packed = gzip.compress(b" " * 20_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with (
        sending([head, packed]) as url,
        connected(ROOMY) as asked,
        pytest.raises(CorpusIndexError, match="answers more than 1 MB"),
    ):
        asked.get(url)


def test_what_is_no_server_is_left_at_the_deadline_of_opening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("argo_ml.corpus.server_store.OPENING", ONCE)
    started = time.monotonic()
    with (
        sending(bytewise(HEAD + b"X: " + b"x" * 1000), pause_s=0.1) as url,
        pytest.raises(CorpusIndexError, match=r"no Chroma server answers there \(ReadTimeout\)"),
    ):
        ServerStore(url)
    assert time.monotonic() - started < 5
