"""What engine, call cache and tracking cost beside the model: a sweep whose model takes no time.

Peak memory is that of a process of its own per shard size, so that one does not hide another.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from argo_ml.config import SweepSpec, build
from benchmarks.reporting import report
from benchmarks.workplace import scripted, workplace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", default="250", help="comma-separated; 40 cells each")
    parser.add_argument("--shard-sizes", default="10")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(json.loads(given.one))))
        return
    rows = []
    for n_questions in given.n_questions.split(","):
        for shard_size in given.shard_sizes.split(","):
            values = {"n_questions": n_questions, "shard_size": shard_size}
            command = [sys.executable, "-m", "benchmarks.overhead", "--one", json.dumps(values)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    report("overhead", rows)


def measure(values: dict[str, Any]) -> dict[str, Any]:
    from mlflow import MlflowClient

    from argo_ml.sweep.running import run_sweep

    with workplace() as folder, tempfile.TemporaryDirectory() as store:
        os.chdir(store)
        spec = build(
            SweepSpec,
            {
                **values,
                "mode": "full",
                "cache_dir": folder,
                "model": scripted(folder),
                "tracking_uri": f"sqlite:///{Path(store) / 'mlflow.db'}",
            },
        )
        started = time.perf_counter()
        results = run_sweep(spec)
        seconds = time.perf_counter() - started
        run = MlflowClient(spec.tracking_uri).get_run(results.sweep_id)
        stages = {name: value for name, value in run.data.metrics.items() if "seconds_" in name}
        needed = sum(cell.metrics["lm_calls_total"] for cell in results.cells)
        paid = sum(cell.metrics["lm_calls_paid_total"] for cell in results.cells)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "questions": spec.question_limit,
        "episodes": spec.question_limit * len(results.cells),
        "shard size": spec.shard_size,
        "calls needed": int(needed),
        "calls executed": int(paid),
        "seconds": seconds,
        "ms per call needed": 1000 * seconds / needed,
        "ms per call executed": 1000 * seconds / paid,
        "peak memory (MiB)": peak,
        **stages,
    }


if __name__ == "__main__":
    main()
