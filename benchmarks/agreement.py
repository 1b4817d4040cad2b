"""The embedded model through every engine that runs it: which choices it makes, and how fast.

Each question's choices are scored by likelihood with the passage found for it: in this process in
float32 and in bfloat16, in bfloat16 one question at a time, through Transformers' own means
(engine=plain), and by the server of llama.cpp that engine=llamacpp starts. All are compared with
float32.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Mapping, Sequence
from typing import Any

from argo_ml.config import SweepSpec, build
from argo_ml.devices.processor import multiplies_bfloat16
from argo_ml.models import load_model
from argo_ml.models.base import Scores, Scoring
from argo_ml.models.deferred import load_now
from argo_ml.sweep.context import LocalContext
from benchmarks.reporting import report
from benchmarks.server import best, margin, requests
from benchmarks.workplace import workplace

ENGINES: Mapping[str, Mapping[str, Any]] = {
    "float32": {"precision": "float32"},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, one question at a time": {"precision": "bfloat16", "batch_tokens": 128},
    "plain, float32": {"precision": "float32", "engine": "plain"},
    "llama.cpp's server, Q4_1": {"engine": "llamacpp"},
}
REFERENCE = "float32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", type=int, default=200)
    parser.add_argument("--difficulty", default="hard")
    numbers = ",".join(map(str, range(len(ENGINES))))
    parser.add_argument("--engines", default=numbers, help="rows of the table, from 0")
    given = parser.parse_args()
    names = [list(ENGINES)[int(number)] for number in given.engines.split(",")]
    with workplace() as folder:
        # One more, which every engine answers before the others are timed.
        values = {"n_questions": given.n_questions + 1, "difficulty": given.difficulty}
        common = {**values, "cache_dir": folder, "device": "cpu"}
        spec = build(SweepSpec, common)
        listed = [asked.scoring for asked in requests(LocalContext.open(spec), spec)]
        expected: list[Scores] = []
        rows = []
        for name in dict.fromkeys([REFERENCE, *names]):
            scores, row = scored(name, build(SweepSpec, {**common, **ENGINES[name]}), listed)
            expected = expected or scores
            rows.append({**row, **agreement(expected, scores)})
            gc.collect()
    report("agreement", rows, amx=multiplies_bfloat16())


def scored(
    name: str, spec: SweepSpec, listed: Sequence[Scoring]
) -> tuple[list[Scores], dict[str, Any]]:
    """What an engine makes of all questions, and what it took once it had answered one."""
    model = load_now(load_model(spec))
    model.score(listed[:1])
    wall, cpu = time.perf_counter(), time.process_time()
    scores = model.score(listed[1:])
    seconds = {"s": time.perf_counter() - wall, "CPU s here": time.process_time() - cpu}
    return scores, {"engine": name, "calls": len(scores), **seconds}


def agreement(expected: Sequence[Scores], scores: Sequence[Scores]) -> dict[str, Any]:
    pairs = list(zip(expected, scores, strict=True))
    off = [
        abs(a - b)
        for one, other in pairs
        for a, b in zip(one.normalised, other.normalised, strict=True)
    ]
    lost = [margin(one) for one, other in pairs if best(one) != best(other)]
    return {
        "same choice": len(pairs) - len(lost),
        "largest difference per token": max(off),
        "largest lead lost": max(lost, default=0.0),
    }


if __name__ == "__main__":
    main()
