"""What storing and finding calls costs in a file of calls, in seconds of this process."""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path

from argo_ml.models.cache.store import CallCache, Entry
from benchmarks.reporting import report

N_CALLS, AT_ONCE, N_READINGS = 6400, 64, 3


def main() -> None:
    generator = random.Random(0)
    entries = [
        Entry(
            f"{generator.getrandbits(256):064x}",
            "generate",
            json.dumps("answer text " * 8),
            300,
            "24",
            0.5,
            f"{generator.getrandbits(128):032x}",
        )
        for _ in range(N_CALLS)
    ]
    slices = [entries[start : start + AT_ONCE] for start in range(0, N_CALLS, AT_ONCE)]
    with tempfile.TemporaryDirectory(prefix="argo-store-") as folder:
        cache = CallCache(Path(folder) / "calls.sqlite")
        started = time.process_time()
        for part in slices:
            cache.add("model", part)
        added = time.process_time()
        for part in slices * N_READINGS:
            cache.find(entry.key for entry in part)
        finding = time.process_time() - added
        row = {"added": N_CALLS, "seconds adding": added - started}
        row |= {"seconds adding for a run": _adding_for_a_run(Path(folder) / "paid", slices)}
        row |= {"found": N_CALLS * N_READINGS, "seconds finding": finding}
        report("store", [{**row, "bytes": cache.stats().size_bytes}])


def _adding_for_a_run(folder: Path, slices: list[list[Entry]]) -> float:
    """Each slice is entered into the ledger before it is executed, as a run's calls are."""
    cache = CallCache(folder / "calls.sqlite")
    started = time.process_time()
    for part in slices:
        begun = cache.begin("model", "run", "generate", len(part))
        cache.add("model", part, begun)
    return time.process_time() - started


if __name__ == "__main__":
    main()
