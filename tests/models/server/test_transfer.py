"""Servers on loopback that answer too slowly or too much."""

from __future__ import annotations

import gzip
import itertools
import json
import time
import zlib
from collections.abc import Iterator

import pytest
from builders.raw_server import sending

from argo_ml.addresses import Address
from argo_ml.errors import ModelError
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.wire import Version
from benchmarks.workplace import peak_mib

POLICY = RetryPolicy(timeout_s=0.6, max_retries=0, largest_mb=1)
ROOMY = RetryPolicy(timeout_s=20, max_retries=0, largest_mb=1)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FINE = json.dumps({"version": "1"}).encode()


def version(url: str, policy: RetryPolicy) -> str:
    fleet = Fleet([Server(Address(url), "", policy)], policy)
    return fleet.request("/version", None, Version).version


def bytewise(data: bytes) -> Iterator[bytes]:
    return (data[i : i + 1] for i in range(len(data)))


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD, b"Content-Length: 1000\r\n\r\n", *bytewise(b" " * 1000)],
        [HEAD, b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 1000],
        [*bytewise(HEAD + b"X: " + b"x" * 1000)],
    ],
    ids=["body", "chunks", "headers"],
)
def test_the_deadline_is_for_the_whole_answer(parts: list[bytes]) -> None:
    started = time.monotonic()
    with (
        sending(parts, pause_s=0.1) as url,
        pytest.raises(ModelError, match=r"no whole answer in time \(request_timeout_s=0.6"),
    ):
        version(url, POLICY)
    assert time.monotonic() - started < 2


def test_a_slow_answer_that_is_whole_in_time_is_read() -> None:
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(FINE)
    with sending([head, *bytewise(FINE)], pause_s=0.01) as url:
        assert version(url, ROOMY) == "1"


def test_an_endless_stream_ends_at_the_limit() -> None:
    endless = itertools.chain([HEAD + b"\r\n"], itertools.repeat(b" " * 65_536))
    with sending(endless) as url, pytest.raises(ModelError, match="raise max_answer_mb"):
        version(url, ROOMY)


def test_a_small_body_that_unpacks_to_gigabytes_ends_at_the_limit() -> None:
    packing = zlib.compressobj(9, wbits=31)
    packed = b"".join(packing.compress(b" " * 1_000_000) for _ in range(300)) + packing.flush()
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    before_kb = 1024 * peak_mib()
    with sending([head, packed]) as url, pytest.raises(ModelError, match="more than 1 MB"):
        version(url, ROOMY)
    assert 1024 * peak_mib() - before_kb < 50_000


def test_a_packed_answer_is_read() -> None:
    packed = gzip.compress(FINE)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with sending([head, packed]) as url:
        assert version(url, ROOMY) == "1"


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip"])
def test_other_encodings_are_refused(encoding: bytes) -> None:
    head = HEAD + b"Content-Encoding: %s\r\nContent-Length: 2\r\n\r\n{}" % encoding
    with sending([head]) as url, pytest.raises(ModelError, match="let it use none or gzip"):
        version(url, ROOMY)
