"""Model calls needed by every cell alone, and calls that the shared engine executes.

Counts depend on actions and not on texts, so a scripted model gives those of any model whose
retrievals succeed alike; retrieval itself is real.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from argo_ml.config import SweepSpec, build
from argo_ml.sweep.context import LocalContext
from benchmarks.reporting import report
from benchmarks.workplace import needed_and_paid, run_grid, scripted, workplace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modes", default="small,medium,full")
    parser.add_argument("--datasets", default="atlas")
    parser.add_argument("--questions", default="", help="folder of ORAN-Bench-13K")
    parser.add_argument("--documents", default="", help="folder of O-RAN documents")
    given = parser.parse_args()
    rows = []
    for dataset in given.datasets.split(","):
        sources = {"questions": given.questions, "documents": given.documents}
        for mode in given.modes.split(","):
            values = {"dataset": dataset, "mode": mode}
            if dataset == "oran_bench":
                values |= sources
            rows.append(measure(values))
    report("sharing", rows)


def measure(values: dict[str, Any]) -> dict[str, Any]:
    with workplace() as folder:
        spec = build(SweepSpec, {**values, "cache_dir": folder, "model": scripted(folder)})
        context = LocalContext.open(spec)
        started = time.perf_counter()
        needed, paid = needed_and_paid(run_grid(spec, context))
        seconds = time.perf_counter() - started
    return {
        "dataset": spec.dataset,
        "mode": spec.mode,
        "cells": len(spec.cells()),
        "questions": spec.question_limit,
        "needed": needed,
        "executed": paid,
        "needed / executed": needed / paid,
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
