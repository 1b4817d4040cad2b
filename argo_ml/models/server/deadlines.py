"""A deadline for a whole answer of a server, whichever HTTP library receives it.

What an HTTP client calls a timeout is that of one read: a byte a second never ends it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore
import httpcore2

_ends: ContextVar[float] = ContextVar("ends", default=float("inf"))


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let whatever this thread sends and receives meanwhile be over in ``seconds``."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def check_deadline(too_late: type[Exception]) -> None:
    if time.monotonic() > _ends.get():
        raise too_late("the answer is not complete at its deadline")


def hold_deadlines(client: Any) -> None:
    """Let connections of ``client``, of httpx or httpx2, end at the `deadline`, those through
    proxies too.

    The libraries offer no setting for it. What was given as a transport of another kind, without
    connections, is left as it is.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if pool is not None and not isinstance(backend, _Backend | None):
            library = httpcore if isinstance(pool, httpcore.ConnectionPool) else httpcore2
            pool._network_backend = _Backend(backend, library)


class _Backend:
    """Opens connections by another backend; its errors are those of ``library``."""

    def __init__(self, inner: Any, library: Any) -> None:
        self._inner = inner
        self._library = library

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _Stream:
        left = _left(timeout, self._library.ConnectTimeout)
        inner = self._inner.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(inner, self._library)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream:
    """Waits no longer than the deadline leaves, at every read and write."""

    def __init__(self, inner: Any, library: Any) -> None:
        self._inner = inner
        self._library = library

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        content: bytes = self._inner.read(max_bytes, _left(timeout, self._library.ReadTimeout))
        return content

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, self._library.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Stream:
        left = _left(timeout, self._library.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._library)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(timeout: float | None, too_late: type[Exception]) -> float | None:
    """Seconds until the deadline, or ``timeout`` where that is less."""
    left = _ends.get() - time.monotonic()
    if left <= 0:
        raise too_late("the deadline of the whole answer has passed")
    limits = [seconds for seconds in (left, timeout) if seconds not in (None, float("inf"))]
    return min(limits) if limits else None
