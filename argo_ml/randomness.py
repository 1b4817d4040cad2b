"""Random draws that depend on what they are for and on nothing else.

Strategies, prices and workers that ask for the same draw get the same one (common random numbers).
"""

from __future__ import annotations

import hashlib
import random
from typing import Any, cast


def derived_rng(seed: int, *key: object) -> random.Random:
    """A generator for one purpose, such as ``derived_rng(seed, question_id, step, "channel")``."""
    material = "\x1f".join(map(str, (seed, *key)))
    digest = hashlib.sha256(material.encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))


def deferred_rng(seed: int, *key: object) -> random.Random:
    """`derived_rng`, made when something is first drawn: most policies draw nothing."""
    return cast(random.Random, _Deferred((seed, *key)))


class _Deferred:
    def __init__(self, key: tuple[Any, ...]) -> None:
        self._key = key
        self._made: random.Random | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = derived_rng(*self._key)
        return getattr(self._made, name)
