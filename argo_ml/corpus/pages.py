"""A whole collection, so many passages at once."""

from __future__ import annotations

from collections.abc import Iterator

from chromadb import Collection, GetResult, Include


def pages(
    collection: Collection, n_passages: int, size: int, include: Include
) -> Iterator[GetResult]:
    """All ``n_passages`` of a collection in its order, ``size`` in each."""
    for start in range(0, n_passages, size):
        yield collection.get(limit=size, offset=start, include=include)
