"""How the answers of servers come in: whole by a deadline, and no larger than a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import httpx2

from argo_ml.models.server.deadlines import check_deadline
from argo_ml.models.server.wire import GarbageError

ENCODINGS = ("gzip", "x-gzip", "deflate")
_ANY_HEADER = zlib.MAX_WBITS | 32
"""Of gzip or of zlib, whichever comes."""
_PIECE = 1024 * 1024
_MEGABYTE = 1024 * 1024


def complete(response: httpx2.Response, largest_mb: int) -> httpx2.Response:
    """The response with its body, unpacked. Raises `GarbageError` where that is too large."""
    encoding = response.headers.get("content-encoding", "")
    assert isinstance(response.stream, httpx2.SyncByteStream)
    content = whole_body(response.stream, encoding, largest_mb, "; raise max_answer_mb")
    headers = {"retry-after": response.headers.get("retry-after", "")}
    return httpx2.Response(response.status_code, headers=headers, content=content)


def whole_body(stream: Iterable[bytes], encoding: str, largest_mb: int, advice: str = "") -> bytes:
    """A body, unpacked.

    Raises `GarbageError` where it is too large, with ``advice``, or cannot be unpacked.
    """
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", *ENCODINGS):
        raise GarbageError(f"answers in the encoding {encoding[:20]!r}; let it use none or gzip")
    parts = _in_time(stream) if encoding in ("", "identity") else _unpacked(stream)
    content = bytearray()
    for part in parts:
        content += part
        if len(content) > largest_mb * _MEGABYTE:
            raise GarbageError(f"answers more than {largest_mb} MB{advice}")
    return bytes(content)


def _in_time(stream: Iterable[bytes]) -> Iterator[bytes]:
    for part in stream:
        check_deadline(httpx2.ReadTimeout)
        yield part


def _unpacked(stream: Iterable[bytes]) -> Iterator[bytes]:
    """The body in pieces of bounded size, however well it is packed."""
    unpacking = zlib.decompressobj(_ANY_HEADER)
    try:
        for part in _in_time(stream):
            while part and not unpacking.eof:
                yield unpacking.decompress(part, _PIECE)
                part = unpacking.unconsumed_tail
        yield unpacking.flush()
    except zlib.error as error:
        raise GarbageError(f"answers what cannot be unpacked ({error})") from None
