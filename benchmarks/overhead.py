"""What engine, call cache and tracking cost beside the model: a sweep whose model takes no time.

Peak memory is that of a process of its own per shard size, so that one does not hide another.
Tenths are of the episodes, in processor time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from argo_ml.config import SweepSpec, build
from argo_ml.progress import EPISODES
from benchmarks.reporting import report
from benchmarks.workplace import measured_alone, peak_mib, scripted, workplace

N_DOCUMENTS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", default="250", help="comma-separated; 60 cells each")
    parser.add_argument("--shard-sizes", default="10")
    parser.add_argument("--strategies", default="", help="empty: the six of mode=full")
    parser.add_argument("--max-steps", default="20")
    parser.add_argument(
        "--generated",
        action="store_true",
        help="questions made for this, of which atlas has too few",
    )
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(json.loads(given.one))))
        return
    rows = []
    for n_questions in given.n_questions.split(","):
        for shard_size in given.shard_sizes.split(","):
            values = {
                "n_questions": n_questions,
                "shard_size": shard_size,
                "max_steps": given.max_steps,
                **({"strategies": given.strategies} if given.strategies else {}),
                **({"dataset": "jsonl"} if given.generated else {}),
            }
            rows.append(measured_alone("benchmarks.overhead", json.dumps(values)))
    report("overhead", rows)


def _generated(folder: Path, n_questions: int) -> dict[str, str]:
    """Documents of rivers, and questions about them that differ in a number."""
    documents, questions = folder / "documents", folder / "questions.jsonl"
    documents.mkdir()
    for number in range(N_DOCUMENTS):
        text = f"The river R{number} is {number * 7} km long and flows through {number % 9} lakes."
        (documents / f"{number}.txt").write_text(text)
    with questions.open("w") as lines:
        for number in range(n_questions):
            text = f"How long is the river R{number % N_DOCUMENTS} at bridge {number}?"
            choices = [f"{length * 7} km" for length in range(number % 5, number % 5 + 4)]
            question = {"id": f"q{number}", "question": text, "choices": choices}
            lines.write(json.dumps({**question, "golden_answers": [number % 4]}) + "\n")
    return {
        "questions": str(questions),
        "documents": str(documents),
        "difficulty": "all",
        "split": "all",
    }


class Clock:
    """When how many episodes were finished, in processor time, with the peak memory by then."""

    def __init__(self) -> None:
        self.readings: list[tuple[int, float, float]] = [(0, time.process_time(), peak_mib())]
        self.n_episodes = 0

    def __call__(self, what: str, n_done: int, n_total: int) -> None:
        if what == EPISODES:
            self.n_episodes = n_total
            self.readings.append((n_done, time.process_time(), peak_mib()))

    def tenths(self) -> list[float]:
        """Processor seconds of each tenth of the episodes."""
        ends = [self._at(self.n_episodes * tenth / 10) for tenth in range(11)]
        return [later - earlier for earlier, later in pairwise(ends)]

    def _at(self, n_done: float) -> float:
        """The moment by which ``n_done`` were finished, on a line between two readings."""
        before = max(reading for reading in self.readings if reading[0] <= n_done)
        after = min(reading for reading in self.readings if reading[0] >= n_done)
        if after[0] == before[0]:
            return before[1]
        share = (n_done - before[0]) / (after[0] - before[0])
        return before[1] + share * (after[1] - before[1])


def measure(values: dict[str, Any]) -> dict[str, Any]:
    from mlflow import MlflowClient

    from argo_ml.sweep.running import run_sweep

    with workplace() as folder, tempfile.TemporaryDirectory() as store:
        os.chdir(store)
        spec = build(
            SweepSpec,
            {
                **values,
                **(
                    _generated(Path(store), int(values["n_questions"]))
                    if "dataset" in values
                    else {}
                ),
                "mode": "full",
                "cache_dir": folder,
                "model": scripted(folder),
                "tracking_uri": f"sqlite:///{Path(store) / 'mlflow.db'}",
            },
        )
        started = time.perf_counter()
        clock = Clock()
        results = run_sweep(spec, clock)
        seconds = time.perf_counter() - started
        run = MlflowClient(spec.tracking_uri).get_run(results.sweep_id)
        stages = {name: value for name, value in run.data.metrics.items() if "seconds_" in name}
        needed = sum(cell.metrics["lm_calls_total"] for cell in results.cells)
        paid = sum(cell.metrics["lm_calls_paid_total"] for cell in results.cells)
    first, *_, last = tenths = clock.tenths()
    return {
        "questions": spec.question_limit,
        "cells": len(results.cells),
        "shard size": spec.shard_size,
        "calls needed": int(needed),
        "calls executed": int(paid),
        "seconds": seconds,
        "ms per call needed": 1000 * seconds / needed,
        "ms per call executed": 1000 * seconds / paid,
        "processor s of the first tenth": first,
        "of the last tenth": last,
        "of the slowest tenth": max(tenths),
        "processor s after the episodes": time.process_time() - clock.readings[-1][1],
        "peak memory of episodes (MiB)": clock.readings[-1][2],
        "peak memory (MiB)": peak_mib(),
        **stages,
    }


if __name__ == "__main__":
    main()
