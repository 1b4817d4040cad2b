"""How often Python looks for garbage while much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = (200_000, 50, 100)
"""Objects made before the youngest are looked at, and how often that is done before older ones
are."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Look for garbage seldom in the block, for which it makes hardly any.

    Each look at all objects takes longer the more there are: of a replay of 20,000 questions more
    than a quarter. What nothing refers to any more is freed at once anyway.
    """
    before = gc.get_threshold()
    gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
