"""How the answers of servers come in: whole by a deadline, and no larger than a limit.

What an HTTP client calls a timeout is that of one read: a byte a second never ends it.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore2
import httpx2

from argo_ml.models.server.wire import GarbageError

ENCODINGS = ("gzip", "x-gzip", "deflate")
_ANY_HEADER = zlib.MAX_WBITS | 32
"""Of gzip or of zlib, whichever comes."""
_PIECE = 1024 * 1024
_MEGABYTE = 1024 * 1024

_ends: ContextVar[float] = ContextVar("ends", default=float("inf"))


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let whatever this thread sends and receives meanwhile be over in ``seconds``."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def hold_deadlines(client: httpx2.Client) -> None:
    """Let connections of ``client`` end at the `deadline`, those through proxies too.

    The library offers no setting for it.
    """
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx2.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _Backend(pool._network_backend)


def complete(response: httpx2.Response, largest_mb: int) -> httpx2.Response:
    """The response with its body, unpacked. Raises `GarbageError` where that is too large."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", *ENCODINGS):
        raise GarbageError(f"answers in the encoding {encoding[:20]!r}; let it use none or gzip")
    parts = _plain(response) if encoding in ("", "identity") else _unpacked(response)
    content = bytearray()
    for part in parts:
        content += part
        if len(content) > largest_mb * _MEGABYTE:
            raise GarbageError(f"answers more than {largest_mb} MB; raise max_answer_mb")
    headers = {"retry-after": response.headers.get("retry-after", "")}
    return httpx2.Response(response.status_code, headers=headers, content=bytes(content))


def _plain(response: httpx2.Response) -> Iterator[bytes]:
    assert isinstance(response.stream, httpx2.SyncByteStream)
    for part in response.stream:
        check_deadline()
        yield part


def check_deadline() -> None:
    """Raises the error of a read that came too late."""
    if time.monotonic() > _ends.get():
        raise httpx2.ReadTimeout("the answer is not complete at its deadline")


def _unpacked(response: httpx2.Response) -> Iterator[bytes]:
    """The body in pieces of bounded size, however well it is packed."""
    unpacking = zlib.decompressobj(_ANY_HEADER)
    try:
        for part in _plain(response):
            while part and not unpacking.eof:
                yield unpacking.decompress(part, _PIECE)
                part = unpacking.unconsumed_tail
        yield unpacking.flush()
    except zlib.error as error:
        raise GarbageError(f"answers what cannot be unpacked ({error})") from None


class _Backend(httpcore2.NetworkBackend):
    """Opens connections by another backend."""

    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore2.NetworkStream):
    """Waits no longer than the deadline leaves, at every read and write."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(timeout: float | None, too_late: type[Exception]) -> float | None:
    """Seconds until the deadline, or ``timeout`` where that is less."""
    left = _ends.get() - time.monotonic()
    if left <= 0:
        raise too_late("the deadline of the whole answer has passed")
    limits = [seconds for seconds in (left, timeout) if seconds not in (None, float("inf"))]
    return min(limits) if limits else None
