"""A sweep's own files of outcomes, replayed: the gates decide as they did in the sweep."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders import known_facts, small_study
from builders.places import linked_cache
from mlflow import MlflowClient

from argo_ml.calibration import Calibration
from argo_ml.config import CalibrateSpec, ReplaySpec, SweepSpec, build
from argo_ml.exploring.calibrate import run_calibration
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.policies import STRATEGIES, make_policy
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates import Gate
from argo_ml.policies.gates.graded import Graded
from argo_ml.replay.deciding import DecidedCell
from argo_ml.replay.replaying import Replay, replay
from argo_ml.results.records import CellResult, Results
from argo_ml.sweep.running import run_sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures_of_module")]

GATES = tuple(
    name
    for name, strategy in STRATEGIES.items()
    if strategy.is_gate and not strategy.reads_own_scores
)
TRIED = ("never", "single", *GATES)
PRICE, OTHER_PRICES = 0.1, (0.02, 0.3)
"""Swept and replayed, and replayed alone."""
KINDS = ("scored", "number", "open")
N_COUNTRIES = 26
N_CALIBRATION, N_TEST = 34, 24


@dataclass(frozen=True)
class Made:
    """A sweep of one kind of questions, what it was calibrated with, and its replay."""

    sweep: Results
    calibration: Calibration
    replayed: Replay
    files: dict[str, Path]

    def cells(self) -> Iterator[tuple[CellResult, DecidedCell]]:
        by_place = {(cell.strategy, cell.retrieval_cost): cell for cell in self.replayed.cells}
        for cell in self.sweep.cells:
            yield cell, by_place[cell.strategy, cell.retrieval_cost]


@pytest.fixture(scope="module", params=KINDS)
def made(
    request: pytest.FixtureRequest,
    warm_cache: Path,
    empty_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copyfile(empty_store, folder / "mlflow.db")
    sources = small_study.write(folder, n_more_countries=N_COUNTRIES)
    parted = _parted(Path(sources["questions"]), has_choices=request.param != "open")
    script = known_facts.script(N_COUNTRIES, by_number=request.param == "number")
    (folder / "script.json").write_text(json.dumps(script))
    wanted = ("dataset", "split", "documents", "model", "max_new_tokens")
    common = {
        **{name: sources[name] for name in wanted},
        "cache_dir": str(linked_cache(warm_cache, folder / "cache")),
        "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        "max_steps": "2",
        "difficulty": "all",
        "min_similarity": "-1",
        "answering": "number" if request.param == "number" else "likelihood",
        "shard_size": "10",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield _made(common, parted, folder)


def _parted(path: Path, has_choices: bool) -> dict[str, dict[str, str]]:
    """The questions in two files: to calibrate on, and others to sweep."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    if not has_choices:
        for line in lines:
            line["golden_answers"] = [line.pop("choices")[line["golden_answers"][0]]]
    parts = {"calibration": lines[:N_CALIBRATION], "test": lines[-N_TEST:]}
    for name, part in parts.items():
        path.with_name(f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))
    return {
        name: {"questions": str(path.with_name(f"{name}.jsonl")), "n_questions": str(len(part))}
        for name, part in parts.items()
    }


def _made(common: dict[str, str], parted: dict[str, dict[str, str]], folder: Path) -> Made:
    calibrated = run_calibration(build(CalibrateSpec, {**common, **parted["calibration"]}))
    values = {"strategies": ",".join(TRIED), "retrieval_costs": str(PRICE)}
    tested = {**common, **parted["test"], "calibration": calibrated.run_id}
    sweep = run_sweep(build(SweepSpec, {**tested, **values}))
    client = MlflowClient(common["tracking_uri"])
    files = {}
    for name, run_id in (("sweep", sweep.sweep_id), ("calibration", calibrated.run_id)):
        (folder / name).mkdir()
        path = client.download_artifacts(run_id, "outcomes.jsonl", str(folder / name))
        files[name] = Path(path)
    values = {
        "outcomes": str(files["sweep"]),
        "calibration_outcomes": str(files["calibration"]),
        "policies": ",".join(TRIED),
        "retrieval_costs": ",".join(map(str, (PRICE, *OTHER_PRICES))),
        "cache_dir": common["cache_dir"],
    }
    replayed = replay(build(ReplaySpec, values))
    return Made(sweep, calibrated.calibration, replayed, files)


def test_every_gate_decides_about_every_question_as_in_the_sweep(made: Made) -> None:
    for cell, again in made.cells():
        for row, other in zip(cell.questions, again.rows, strict=True):
            assert other.question_id == row.question_id
            assert other.actions == row.actions, (cell.strategy, cell.retrieval_cost)
            assert other.correct == row.correct
            assert other.cost == pytest.approx(row.cost)
            assert other.stop_reason == row.stop_reason
            assert other.parsed == row.parsed
            assert other.confidence == pytest.approx(row.confidence)


def thresholds(policy: Gate | Graded) -> list[float]:
    if isinstance(policy, Graded):
        return [policy.grades.few, policy.grades.full]
    return [policy.threshold]


def test_every_gate_has_the_threshold_that_it_has_in_the_sweep(made: Made) -> None:
    for cell in made.replayed.cells:
        if cell.strategy in GATES:
            solution = solve(MDPSpec(retrieval_cost=cell.retrieval_cost))
            context = PolicyContext(solution, calibration=made.calibration)
            expected: Any = make_policy(cell.strategy, context)
            found: Any = cell.policy
            assert thresholds(found) == pytest.approx(thresholds(expected), abs=1e-12)


def test_what_gates_expected_is_what_they_expected_in_the_sweep(made: Made) -> None:
    for cell, again in made.cells():
        for row, other in zip(cell.questions, again.rows, strict=True):
            for one, same in zip(row.decisions, other.decisions, strict=True):
                assert (same.action, same.correct) == (one.action, one.correct)
                assert same.score == pytest.approx(one.score, abs=1e-12)
                assert same.confidence == pytest.approx(one.confidence, abs=1e-12)
                assert same.expected_gain == pytest.approx(one.expected_gain, abs=1e-12)


def test_some_gates_retrieve_for_some_questions_alone(made: Made) -> None:
    shares = {
        cell.strategy: sum(bool(row.actions) for row in cell.questions) / len(cell.questions)
        for cell in made.sweep.cells
    }
    assert sum(0 < share < 1 for share in shares.values()) >= 2, shares


def test_lines_say_which_split_they_are_of(made: Made) -> None:
    splits = {
        name: [json.loads(line)["split"] for line in path.read_text().splitlines()]
        for name, path in made.files.items()
    }
    assert splits == {"sweep": ["all"] * N_TEST, "calibration": ["calibration"] * N_CALIBRATION}
