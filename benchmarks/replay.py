"""What a replay takes: outcomes written at random, policies that decide on them, and no model.

Each number of questions is replayed in a process of its own, so that memory is that of one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from argo_ml.config import CacheFields, ReplaySpec, build
from argo_ml.progress import DECISIONS
from benchmarks.reporting import report
from benchmarks.workplace import measured_alone, peak_mib

POLICIES = "never,single,oracle,question_only,margin_gate,max_prob_gate,entropy_gate,benefit_gate"
PRICES = "0.02,0.05,0.1,0.2,0.4"
KINDS = ("When was", "Who was", "How many made", "Which of two was", "Where lies")
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", default="5000,50000", help="comma-separated")
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one)))
        return
    sizes = given.n_questions.split(",")
    report("replay", [measured_alone("benchmarks.replay", size) for size in sizes])


def measure(n_questions: int) -> dict[str, Any]:
    from argo_ml.replay.storing import run_replay

    with tempfile.TemporaryDirectory(prefix="argo-benchmark-") as folder:
        os.chdir(folder)
        outcomes = Path("outcomes.jsonl").absolute()
        with outcomes.open("w") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in lines(n_questions))
        given = {
            "outcomes": str(outcomes),
            "policies": POLICIES,
            "retrieval_costs": PRICES,
            "tracking_uri": f"sqlite:///{folder}/mlflow.db",
            "cache_dir": str(CacheFields().cache_path),
        }
        n_told = 0

        def on_progress(what: str, n_done: int, n_total: int) -> None:
            nonlocal n_told
            n_told += what == DECISIONS

        spec = build(ReplaySpec, given)
        before, started = time.process_time(), time.perf_counter()
        replayed = run_replay(spec, on_progress)
        seconds, wall_s = time.process_time() - before, time.perf_counter() - started
        stored = sum(path.stat().st_size for path in Path("mlruns").rglob("*") if path.is_file())
    return {
        "lines": n_questions,
        "tested on": len(replayed.results.cells[0].questions),
        "cells": len(replayed.results.cells),
        "processor s": seconds,
        "s": wall_s,
        "peak memory (MiB)": peak_mib(),
        "artifacts (MiB)": stored / MIB,
        "reports of progress": n_told,
    }


def lines(n_questions: int) -> Iterator[dict[str, Any]]:
    """Questions of which four in ten are known; what is known looks surer."""
    draws = random.Random(0)
    for number in range(n_questions):
        is_known, is_read = draws.random() < 0.4, draws.random() < 0.7
        sureness = draws.gauss(0.6 if is_known else 0.4, 0.2)
        sureness = min(max(sureness, 0.01), 0.99)
        right, wrong = f"right {number}", f"wrong {draws.randrange(9)}"
        yield {
            "id": f"q{number}",
            "question": f"{draws.choice(KINDS)} thing {number} of town {draws.randrange(99)}?",
            "golden_answers": [right],
            "outcomes": {
                "none": {
                    "answer": right if is_known else wrong,
                    "logprob": -2 * (1 - sureness),
                    "entropy": 3 * (1 - sureness),
                    "margin": sureness,
                    "n_tokens": 2,
                },
                "retrieve": {"answer": right if is_read else wrong},
            },
        }


if __name__ == "__main__":
    main()
