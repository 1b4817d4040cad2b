"""Several commands at once in an empty folder: does each of them finish, and is all of it there?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow import MlflowClient

from argo_ml.config import CacheFields
from argo_ml.tracking.runs import KIND
from argo_ml.tracking.stores import sqlite_uri
from benchmarks.reliability.counting import Counts
from benchmarks.workplace import scripted

AT_ONCE = (2, 4, 8)
ROUNDS = 3


def campaign(folder: Path, n_cases: int, seed: int) -> Sequence[Counts]:
    """Rounds for each number of commands; ``n_cases`` rounds, 3 unless given."""
    return [
        at_once(folder / str(n_commands), n_commands, n_cases or ROUNDS) for n_commands in AT_ONCE
    ]


def at_once(folder: Path, n_commands: int, n_rounds: int) -> Counts:
    counts = Counts(f"{n_commands} sweeps at once in an empty folder")
    for number in range(n_rounds):
        place = folder / str(number)
        place.mkdir(parents=True)
        counts.add(*_outcomes(place, _sweep(place), n_commands, counts))
    return counts


def _sweep(place: Path) -> dict[str, str]:
    """The parameters of a sweep over four rivers, whose sources are written into ``place``."""
    (place / "documents").mkdir()
    lines = []
    for number, river in enumerate(("Velt", "Mirn", "Ostr", "Penh"), 1):
        text = f"The {river} is a river. It is {number} km long."
        (place / "documents" / f"{river}.txt").write_text(text)
        question = {"id": river, "question": f"How long is the {river}?"}
        lines.append(json.dumps({**question, "golden_answers": [f"{number} km"]}))
    (place / "questions.jsonl").write_text("\n".join(lines))
    (place / "script.json").write_text(json.dumps({"default": "hash"}))
    # The embedder is not what is new here.
    (place / "cache").mkdir()
    (place / "cache" / "models").symlink_to(CacheFields().cache_path / "models")
    return {
        "dataset": "jsonl",
        "split": "all",
        "questions": "questions.jsonl",
        "documents": "documents",
        "model": scripted(place),
        "n_questions": "4",
        "n_prices": "2",
        "strategies": "argo,random",
        "max_steps": "3",
        "cache_dir": "cache",
        "tracking_uri": "sqlite:///mlflow.db",
    }


def _outcomes(place: Path, values: Mapping[str, str], n_commands: int, counts: Counts) -> list[str]:
    options = [text for name, value in values.items() for text in (f"--{name}", value)]
    command = [sys.executable, "-m", "argo_ml", "sweep", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            command, cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(n_commands)
    ]
    errors = [process.communicate()[1].decode() for process in running]
    failed = [
        text for process, text in zip(running, errors, strict=True) if process.returncode != 0
    ]
    counts.examples.extend(text[-300:] for text in failed)
    outcomes = ["raw_exceptions"] if any("Traceback" in text for text in errors) else []
    if failed:
        return [*outcomes, "unhealed"]
    return [*outcomes, "all finished"] if _all_there(place, n_commands) else ["wrong_values"]


def _all_there(place: Path, n_commands: int) -> bool:
    """Every sweep is there, and FINISHED."""
    client = MlflowClient(sqlite_uri(place / "mlflow.db"))
    experiment = client.get_experiment_by_name("argo_ml")
    if experiment is None:
        return False
    sweeps = client.search_runs([experiment.experiment_id], f"tags.`{KIND}` = 'sweep'")
    return len(sweeps) == n_commands and all(run.info.status == "FINISHED" for run in sweeps)
