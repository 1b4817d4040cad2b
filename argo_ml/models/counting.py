"""Token counts of texts that are asked for again and again: the passages of all cells' prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

N_TEXTS = 16384
CountTokens = Callable[[Sequence[str]], list[int]]


def counted_once(count_tokens: CountTokens) -> CountTokens:
    """``count_tokens`` that remembers the counts of the last `N_TEXTS` texts."""

    @lru_cache(maxsize=N_TEXTS)
    def count(text: str) -> int:
        [n_tokens] = count_tokens([text])
        return n_tokens

    return lambda texts: list(map(count, texts))
