"""A calibrated sweep over scripted facts, and its policy published: made once for many tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from argo_ml.config import CalibrateSpec, PublishSpec, SweepSpec, build
from argo_ml.exploring.calibrate import run_calibration
from argo_ml.results.records import Results
from argo_ml.serving.publishing import publish
from argo_ml.sweep.running import load_results, run_sweep
from argo_ml.tracking.runs import store_of_runs
from builders import drawing, known_facts, small_study
from builders.places import linked_cache, shared_folder

N_COUNTRIES = 22
N_CALIBRATION, N_TEST = 34, 12
PRICES = "0.02,0.1,0.3"
EXPERIMENT = "serving"
NAME = "support-bot"
MADE = "made.json"


@dataclass(frozen=True)
class PublishedSweep:
    folder: Path
    results: Results
    sweep: str
    model: str
    calibration: str

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def trajectories(self, strategy: str, price: float) -> dict[str, Mapping[str, object]]:
        """The trajectories of a cell, by question."""
        [cell] = [own for own in self.results.row(strategy) if own.retrieval_cost == price]
        [path] = self.folder.glob(f"mlruns/*/{cell.run_id}/artifacts/trajectories.jsonl")
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return {line["question_id"]: line for line in lines}


@pytest.fixture(scope="session")
def published_sweep(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> PublishedSweep:
    """Shared by the processes that run tests: nothing of it may be changed."""
    folder = shared_folder(tmp_path_factory) / "published"
    with FileLock(f"{folder}.lock"):
        if not (folder / MADE).exists():
            folder.mkdir()
            shutil.copyfile(empty_store, folder / "mlflow.db")
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                with drawing.left_out():
                    made = _made(folder, linked_cache(warm_cache, folder / "cache"))
            (folder / MADE).write_text(json.dumps(made))
    ids = json.loads((folder / MADE).read_text())
    store = store_of_runs(f"sqlite:///{folder / 'mlflow.db'}")
    return PublishedSweep(folder, load_results(store, ids["sweep"]), **ids)


def _made(folder: Path, cache: Path) -> dict[str, str]:
    common = _sources(folder, cache)
    calibrated = run_calibration(
        build(CalibrateSpec, {**common, "questions": str(folder / "calibration.jsonl")})
    )
    swept = {
        **common,
        "questions": str(folder / "test.jsonl"),
        "n_questions": str(N_TEST),
        "calibration": calibrated.run_id,
        "retrieval_costs": PRICES,
        "strategies": "never,single,argo_calibrated,max_prob_gate",
    }
    results = run_sweep(build(SweepSpec, swept))
    stored = {"sweep": results.sweep_id, "tracking_uri": common["tracking_uri"]}
    registered = publish(build(PublishSpec, {**stored, "name": NAME, "experiment": EXPERIMENT}))
    return {"sweep": results.sweep_id, "model": registered.uri, "calibration": calibrated.run_id}


def _sources(folder: Path, cache: Path) -> dict[str, str]:
    sources = small_study.write(folder, n_more_countries=N_COUNTRIES)
    lines = [json.loads(line) for line in Path(sources["questions"]).read_text().splitlines()]
    for line in lines:
        line["golden_answers"] = [line.pop("choices")[line["golden_answers"][0]]]
    for name, part in (("calibration", lines[:N_CALIBRATION]), ("test", lines[-N_TEST:])):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))
    (folder / "script.json").write_text(json.dumps(known_facts.script(N_COUNTRIES)))
    wanted = ("dataset", "split", "documents", "model", "max_new_tokens")
    return {
        **{name: sources[name] for name in wanted},
        "cache_dir": str(cache),
        "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        "experiment": EXPERIMENT,
        "n_questions": str(N_CALIBRATION),
        "max_steps": "2",
        "difficulty": "all",
        "min_similarity": "-1",
        "shard_size": "40",
    }
