"""Single flipped bits of a file of calls: is what is read what was stored, or nothing?"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from argo_ml.errors import ArgoError
from argo_ml.models.cache.store import CallCache, Entry
from benchmarks.reliability.counting import Counts

N_FLIPS = 1500
IDENTITY = "a model of the campaign"
MISLEADING = ("free disk space", "writable", "locked")
"""Advice that does not help against damage."""


def campaign(folder: Path, n_flips: int = 0, seed: int = 0) -> list[Counts]:
    """Flip one bit of a copy of a file, use it, and count what came of it."""
    pristine = folder / "pristine.sqlite"
    entries = make_entries()
    CallCache(pristine).add(IDENTITY, entries)
    content = pristine.read_bytes()
    counts = Counts("one bit of calls.sqlite")
    positions = random.Random(seed)
    for number in range(n_flips or N_FLIPS):
        path = folder / f"case-{number}" / "calls.sqlite"
        path.parent.mkdir()
        path.write_bytes(flipped(content, positions.randrange(8 * len(content))))
        counts.add(*outcomes(path, entries, counts.examples))
    return [counts]


def make_entries(n_entries: int = 60) -> list[Entry]:
    """Calls of every kind; the vectors are longer than a page of SQLite takes."""
    generator = random.Random(0)
    made = []
    for number in range(n_entries):
        key = f"{generator.getrandbits(256):064x}"
        score = [round(generator.uniform(-30, 0), 6) for _ in range(4)]
        vector = "".join(generator.choices("abcdefgh0123", k=2048))
        kind, output = [("generate", f"answer {number}"), ("score", score), ("embed", vector)][
            number % 3
        ]
        tokens = json.dumps([3, 4, 5, 6] if kind == "score" else 24)
        payer = f"run/{number % 5}"
        made.append(Entry(key, kind, json.dumps(output), 100 + number, tokens, number / 7, payer))
    return made


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def outcomes(path: Path, entries: Sequence[Entry], examples: list[str]) -> list[str]:
    """Read all calls of a damaged file, store again what is missing, and check the file."""
    try:
        return _outcomes(path, entries)
    except ArgoError as error:
        examples.append(str(error))
        is_misleading = any(advice in str(error) for advice in MISLEADING)
        return ["misleading_messages" if is_misleading else "refused"]
    except Exception as error:
        examples.append(repr(error))
        return ["raw_exceptions"]


def _outcomes(path: Path, entries: Sequence[Entry]) -> list[str]:
    cache = CallCache(path)
    by_key = {entry.key: entry for entry in entries}
    read = cache.find(by_key)
    named = _differences(read, by_key)
    missing = [entry for key, entry in by_key.items() if key not in read]
    if missing:
        named.append("executed_again")
        named += _differences(cache.add(IDENTITY, missing), by_key)
    checked, again = cache.check(), CallCache(path)
    named += _differences(again.find(by_key), by_key)
    is_whole = again.find(by_key).keys() == by_key.keys() and again.check().is_sound
    if again.stats().n_entries != len(by_key):
        named.append("wrong_accounting")
    named.append("healed" if checked.problem or missing else "unharmed")
    return named if is_whole else [*named, "unhealed"]


def _differences(read: dict[str, Entry], stored: dict[str, Entry]) -> list[str]:
    named = []
    for key, entry in read.items():
        expected = stored[key]
        if (entry.kind, entry.output) != (expected.kind, expected.output):
            named.append("wrong_values")
        if entry != expected and entry.output == expected.output:
            named.append("wrong_accounting")
    return named
