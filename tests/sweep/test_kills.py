"""A sweep killed with SIGKILL at random moments, and resumed."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from builders import small_study, workers
from builders.places import linked_cache
from mlflow import MlflowClient

pytestmark = pytest.mark.slow

N_SWEEPS = 5
MOST_KILLS_OF_ONE = 4
N_KILLS = 8
SEED = 20
JOIN_S = 180


@dataclass(frozen=True)
class KilledSweep:
    """A sweep of its own experiment and cache; every start of it is a process of its own."""

    values: dict[str, str]
    folder: Path

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.values["tracking_uri"])

    @property
    def sweep_id(self) -> str:
        """The sweep that can be resumed; empty where it was killed before it stored its spec."""
        experiment = self.client.get_experiment_by_name(self.values["experiment"])
        if experiment is None:
            return ""
        found = self.client.search_runs([experiment.experiment_id], "tags.`argo.kind` = 'sweep'")
        ids = [str(run.info.run_id) for run in found]
        return next((run_id for run_id in ids if self._has_spec(run_id)), "")

    def _has_spec(self, run_id: str) -> bool:
        return any(file.path == "spec.yaml" for file in self.client.list_artifacts(run_id))

    @property
    def stored_calls(self) -> set[str]:
        path = self.folder / "cache" / "calls.sqlite"
        if not path.exists():
            return set()
        with closing(sqlite3.connect(path)) as connection:
            has_table = connection.execute("SELECT name FROM sqlite_master WHERE name = 'calls'")
            if not has_table.fetchall():
                return set()
            return {key for (key,) in connection.execute("SELECT key FROM calls")}

    def executed_calls(self) -> list[str]:
        """Those since this was asked last."""
        log = self.folder / "calls.log"
        keys = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return keys

    def start(self) -> BaseProcess:
        return workers.start_sweep({**self.values, "resume": self.sweep_id})

    def results(self) -> dict[str, Any]:
        """``results.json`` without what goes by runs and by the folders of the sweep."""
        path = self.client.download_artifacts(self.sweep_id, "results.json", str(self.folder))
        found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        for name in ("sweep_id", "spec"):
            del found[name]
        for cell in found["cells"]:
            del cell["run_id"], cell["cell_id"]
        return found


@pytest.fixture
def sweeps(warm_cache: Path, tracking_uri: str, tmp_path: Path) -> list[KilledSweep]:
    parameters = small_study.write(tmp_path)
    made = []
    for index in range(N_SWEEPS + 2):
        folder = tmp_path / f"sweep-{index}"
        folder.mkdir()
        script = {"default": "hash", "log": str(folder / "calls.log")}
        (folder / "script.json").write_text(json.dumps(script))
        values = {
            **parameters,
            "cache_dir": str(linked_cache(warm_cache, folder / "cache")),
            "experiment": folder.name,
            "n_prices": "1",
            "tracking_uri": tracking_uri,
            "model": f"scripted:{folder / 'script.json'}",
        }
        made.append(KilledSweep(values, folder))
    return made


def test_kills_at_random_moments_change_no_number_and_repeat_no_stored_call(
    sweeps: list[KilledSweep],
) -> None:
    [warming, whole, *killed] = sweeps
    # The first process waits for the imports that all others share.
    finish(warming)
    started = time.monotonic()
    finish(whole)
    duration = time.monotonic() - started
    expected = whole.results()
    moments = random.Random(SEED)

    n_kills = 0
    for sweep in killed:
        if n_kills >= N_KILLS:
            break
        for _ in range(MOST_KILLS_OF_ONE):
            known = sweep.stored_calls
            process = sweep.start()
            process.join(moments.uniform(0, duration / 2))
            was_running = process.is_alive()
            process.kill()
            process.join()
            assert known.isdisjoint(sweep.executed_calls())
            if not was_running:
                break
            n_kills += 1
        known = sweep.stored_calls
        finish(sweep)
        assert known.isdisjoint(sweep.executed_calls())
        assert sweep.results() == expected

    assert n_kills >= N_KILLS


def finish(sweep: KilledSweep) -> None:
    process = sweep.start()
    process.join(JOIN_S)
    assert process.exitcode == 0
