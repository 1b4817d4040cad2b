"""What a benchmark runs in: a cache folder of its own that shares models and indexes."""

from __future__ import annotations

import contextlib
import json
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from argo_ml.config import CacheFields, SweepSpec
from argo_ml.engine.shards import make_shards
from argo_ml.engine.stages import StageTimes
from argo_ml.progress import ignore_progress
from argo_ml.results.records import QuestionResult
from argo_ml.sweep.context import LocalContext, prepare_cells


def measured_alone(module: str, argument: str) -> dict[str, Any]:
    """What ``python -m MODULE --one ARGUMENT`` prints last, so that memory is that of one."""
    command = [sys.executable, "-m", module, "--one", argument]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def peak_mib() -> float:
    """The most memory that this process has had, which macOS gives in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return peak / 1024 if platform.system() == "Darwin" else peak


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A cache folder without any model call in it."""
    shared = CacheFields().cache_path
    with tempfile.TemporaryDirectory(prefix="argo-benchmark-") as name:
        folder = Path(name)
        for part in ("models", "indexes", "data"):
            (shared / part).mkdir(parents=True, exist_ok=True)
            (folder / part).symlink_to(shared / part)
        (folder / "script.json").write_text(json.dumps({"default": "hash"}))
        yield folder


def scripted(folder: Path) -> str:
    """The model parameter of a script whose every answer is a hash of the request."""
    return f"scripted:{folder / 'script.json'}"


def run_grid(spec: SweepSpec, context: LocalContext[SweepSpec]) -> dict[str, list[QuestionResult]]:
    """Every cell's rows by the engine, without any tracking."""
    cells = prepare_cells(spec.cells(), context)
    rows: dict[str, list[QuestionResult]] = {cell.id: [] for cell in cells}
    shards = make_shards(context.questions.questions, spec.shard_size)
    executor = context.executor(cells, "benchmark", StageTimes())
    for finished in executor.run(shards, ignore_progress):
        for cell_id, results in finished.record.results.items():
            rows[cell_id].extend(results)
    return rows


def needed_and_paid(rows: dict[str, list[QuestionResult]]) -> tuple[int, int]:
    listed: Sequence[QuestionResult] = [row for results in rows.values() for row in results]
    return sum(row.usage.calls for row in listed), sum(row.lm_calls_paid for row in listed)
