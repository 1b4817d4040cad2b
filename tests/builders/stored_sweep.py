"""A finished sweep in a real MLflow store, made once and copied for each test that changes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from argo_ml.config import SweepSpec, identity_fields
from argo_ml.reporting.figures import redraw
from argo_ml.results.metrics import sweep_metrics
from argo_ml.results.records import CellResult, QuestionResult, Results
from argo_ml.sweep.cell_run import cell_params
from argo_ml.sweep.record import open_record
from argo_ml.tracking import runs
from argo_ml.tracking.input_datasets import InputDataset
from argo_ml.tracking.names import spec_params
from argo_ml.tracking.runs import TrackedRun, Tracking
from argo_ml.verification import SweepRecord
from argo_ml.verification.verify import verify_record
from builders import result_builders
from builders.places import copy_with_store
from builders.result_builders import DIGESTS

SPEC = SweepSpec(n_questions=6, retrieval_costs="0.02,0.2")
EXPERIMENT = "stored"
INPUTS = [
    InputDataset("questions", DIGESTS["questions_digest"], "questions.jsonl", "questions", 6),
    InputDataset("corpus", DIGESTS["corpus_digest"], "documents", "corpus", 1),
]


@dataclass(frozen=True)
class StoredSweep:
    """``folder`` holds the database and everything that the sweep's runs have stored."""

    folder: Path
    sweep_id: str
    results: Results

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def artifact(self, name: str, run_id: str = "") -> Path:
        return self.folder / "artifacts" / (run_id or self.sweep_id) / "artifacts" / name


@dataclass(frozen=True)
class FetchedSweep:
    """A record whose artifacts are all fetched already, to be changed at will."""

    record: SweepRecord

    @property
    def _owner(self) -> Path:
        return self.record.folder / str(self.record.run.info.run_id)

    def artifact(self, name: str) -> Path:
        return self._owner / name

    @property
    def trajectories(self) -> Path:
        """Of the first cell, which is ARGO at the lower price."""
        first = self.record.results().cells[0]
        return self.record.folder / first.run_id / "trajectories.jsonl"

    def edit_results(self, edit: Callable[[dict[str, Any]], object]) -> None:
        path = self.artifact("results.json")
        content = json.loads(path.read_text(encoding="utf-8"))
        edit(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    def edit_trajectory(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """Of the first cell's first question."""
        first, *others = self.trajectories.read_text(encoding="utf-8").splitlines()
        line = json.loads(first)
        edit(line)
        self.trajectories.write_text("\n".join([json.dumps(line), *others]), encoding="utf-8")


@pytest.fixture(scope="session")
def kept_sweep(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredSweep:
    """The one that is copied; its own files must not be changed."""
    folder = tmp_path_factory.mktemp("sweep")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    location = (folder / "artifacts").as_uri()
    experiment_id = client.create_experiment(EXPERIMENT, artifact_location=location)
    tracking = Tracking(client, experiment_id, str(client.tracking_uri))
    sweep = tracking.create("a sweep", {runs.KIND: "sweep"})
    found = result_builders.results(SPEC, sweep.run_id)
    cells = tuple(_store_cell(tracking, sweep, cell, folder) for cell in found.cells)
    found = found.model_copy(update={"cells": cells})
    _store_sweep(sweep, found, folder / "upload")
    return StoredSweep(folder, sweep.run_id, found)


@pytest.fixture
def stored_sweep(kept_sweep: StoredSweep, tmp_path: Path) -> StoredSweep:
    """A copy of the test's own."""
    folder = tmp_path / "sweep"
    copy_with_store(kept_sweep.folder, folder)
    return StoredSweep(folder, kept_sweep.sweep_id, kept_sweep.results)


@pytest.fixture(scope="session")
def kept_record(kept_sweep: StoredSweep, tmp_path_factory: pytest.TempPathFactory) -> SweepRecord:
    record = open_record(
        kept_sweep.sweep_id, kept_sweep.uri, EXPERIMENT, tmp_path_factory.mktemp("fetched")
    )
    list(verify_record(record))
    return record


@pytest.fixture
def fetched_sweep(kept_record: SweepRecord, tmp_path: Path) -> FetchedSweep:
    """A copy of the test's own."""
    folder = tmp_path / "fetched"
    shutil.copytree(kept_record.folder, folder)
    return FetchedSweep(replace(kept_record, folder=folder))


def _store_cell(
    tracking: Tracking, sweep: TrackedRun, cell: CellResult, folder: Path
) -> CellResult:
    tags = {runs.KIND: "cell", runs.CELL_ID: cell.cell_id, runs.SWEEP_ID: sweep.run_id}
    run = tracking.create_child(sweep, cell.strategy, tags)
    specs = {(known.strategy, known.retrieval_cost): known for known in SPEC.cells()}
    spec = specs[cell.strategy, cell.retrieval_cost]
    run.log(params=spec_params(cell_params(spec, cell.policy, DIGESTS)), metrics=cell.metrics)
    run.log_inputs(INPUTS)
    target = folder / "upload-cells" / run.run_id
    target.mkdir(parents=True)
    lines = [json.dumps(_trajectory(row, cell.retrieval_cost)) for row in cell.questions]
    (target / "trajectories.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run.log_folder(target)
    run.end()
    return cell.model_copy(update={"run_id": run.run_id})


def _store_sweep(sweep: TrackedRun, found: Results, target: Path) -> None:
    redraw(found, target / "figures")
    (target / "results.json").write_text(found.model_dump_json(), encoding="utf-8")
    spec = yaml.safe_dump(SPEC.model_dump(mode="json"))
    (target / "spec.yaml").write_text(spec, encoding="utf-8")
    passage = {"id": "peru", "title": "Peru", "text": "Its capital is Lima.", "source": ""}
    (target / "passages.jsonl").write_text(json.dumps(passage) + "\n", encoding="utf-8")
    sweep.log_folder(target)
    params = spec_params({**identity_fields(SPEC), **found.digests})
    sweep.log(params=params, metrics=sweep_metrics(found))
    sweep.log_inputs(INPUTS)
    sweep.end()


def _trajectory(row: QuestionResult, retrieval_cost: float) -> dict[str, Any]:
    prices = {"retrieve": retrieval_cost, "reason": SPEC.reason_cost}
    steps = [
        {
            "action": action,
            "succeeded": True,
            "cost": prices[action],
            "evidence": [{"passage_id": "peru", "similarity": 0.9}] if action == "retrieve" else [],
        }
        for action in row.actions
    ]
    return {
        "question_id": row.question_id,
        "steps": steps,
        "stop_reason": row.stop_reason,
        "cost": row.cost,
        "answer": row.answer,
        "choice": row.choice,
    }
