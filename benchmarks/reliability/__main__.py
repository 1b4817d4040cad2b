"""Long campaigns of faults with counts: ``python -m benchmarks.reliability KIND``.

`tests/reliability/` runs a few cases of the same functions; docs/reliability.md has the counts.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path

from benchmarks.reliability import (
    accounting,
    bitflips,
    derived,
    first_runs,
    journal,
    kill_points,
    mutations,
)
from benchmarks.reliability.counting import Campaign
from benchmarks.reporting import report

CAMPAIGNS: dict[str, Campaign] = {
    "bitflips": bitflips.campaign,
    "index": derived.index_campaign,
    "weights": derived.weights_campaign,
    "journal": journal.campaign,
    "first-runs": first_runs.campaign,
    "mutations": mutations.campaign,
    "kill-points": kill_points.campaign,
    "kills": kill_points.random_campaign,
    "accounting": accounting.campaign,
}
"""Kinds of faults by name; a module of its own each, whose first function is the campaign."""

KILLING = ("kill-points", "kills", "accounting")
IN_MEMORY = "/dev/shm"
"""Where a commit does not wait for a disk; a kill leaves there what it leaves elsewhere."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[*CAMPAIGNS, "all"])
    parser.add_argument("--n", type=int, default=0, help="cases; 0: as many as the kind has itself")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.getLogger("argo_ml").setLevel(logging.ERROR)
    for kind in CAMPAIGNS if given.kind == "all" else [given.kind]:
        started = time.perf_counter()
        place = IN_MEMORY if kind in KILLING and os.access(IN_MEMORY, os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix="argo-reliability-", dir=place) as folder:
            rows = CAMPAIGNS[kind](Path(folder), given.n, given.seed)
        seconds = time.perf_counter() - started
        report(f"reliability-{kind}", [row.as_dict() for row in rows], seconds=seconds)


if __name__ == "__main__":
    main()
