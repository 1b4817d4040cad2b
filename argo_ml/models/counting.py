"""Token counts of texts that are asked for again and again: the passages of all cells' prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from argo_ml.models.base import LanguageModel
from argo_ml.models.cache.store import CallCache, Entry

N_TEXTS = 16384
COUNT_KIND = "count"
CountTokens = Callable[[Sequence[str]], list[int]]


def counted_once(count_tokens: CountTokens) -> CountTokens:
    """``count_tokens`` that remembers the counts of the last `N_TEXTS` texts."""
    known: dict[str, int] = {}

    def count(texts: Sequence[str]) -> list[int]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, count_tokens(new), strict=True))
        counts = [known[text] for text in texts]
        while len(known) > N_TEXTS:
            del known[next(iter(known))]
        return counts

    return count


def kept_counts(model: LanguageModel, cache: CallCache) -> CountTokens:
    """Counts by the model's tokenizer, kept in the call cache: a known text needs no tokenizer."""

    def count(texts: Sequence[str]) -> list[int]:
        keys = [_key(model.identity, text) for text in texts]
        kept = cache.find(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
        if missing:
            counts = model.count_tokens(list(missing.values()))
            entries = [_entry(key, n) for key, n in zip(missing, counts, strict=True)]
            kept.update(cache.add(model.identity, entries))
        return [int(json.loads(kept[key].output)) for key in keys]

    return count


def _key(identity: str, text: str) -> str:
    return hashlib.sha256(json.dumps([identity, COUNT_KIND, text]).encode()).hexdigest()


def _entry(key: str, n_tokens: int) -> Entry:
    return Entry(key, COUNT_KIND, json.dumps(n_tokens), 0, "0", 0.0, "")
