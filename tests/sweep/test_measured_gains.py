"""`gains=measured` with fixed progress: what a policy was solved for is what its episodes do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders.planted_gate import Problem, calibrate, planted_context, questions, sweep_spec
from builders.policy_files import published

from argo_ml.calibration import Calibration
from argo_ml.calibration.gains import usable_gains
from argo_ml.config import CellSpec, StudySpec, build, shared_fields
from argo_ml.engine.shards import Shard
from argo_ml.engine.stages import StageTimes
from argo_ml.progress import ignore_progress
from argo_ml.serving.answering import AnsweringService
from argo_ml.serving.deciding import LoadedPolicy
from argo_ml.serving.priced import RequestPrice
from argo_ml.serving.published import PolicyFiles, StrategyRange
from argo_ml.sweep.cells import cell_id
from argo_ml.sweep.context import LocalContext, prepare_cells

PROBLEM = Problem(known=0.0, readable=1.0)
PRICE = 0.02
PLANNED = ("retrieve", "retrieve")


@pytest.fixture
def calibration(tmp_path: Path) -> Calibration:
    """The first retrieval brings all, so that one of two was measured to bring half or more."""
    made = calibrate(PROBLEM, 40, tmp_path)
    assert 0.5 <= usable_gains(made, u_max=1.0).delta_r < 1.0
    return made


def test_an_episode_makes_the_retrievals_that_were_planned(
    tmp_path: Path, calibration: Calibration
) -> None:
    context = planted_context(PROBLEM, questions(40, 3), tmp_path, calibration)
    spec = sweep_spec(
        tmp_path, strategies="argo,argo_optimal", retrieval_costs=str(PRICE), gains="measured"
    )
    cells = prepare_cells(spec.cells(), context)
    executor = context.executor(cells, "sweep", StageTimes())

    [finished] = executor.run([Shard(0, context.questions.questions)], ignore_progress)

    record = finished.record
    for cell in cells:
        assert all(row.actions == PLANNED for row in record.results[cell.id])
        steps = [step for line in record.trajectories[cell.id] for step in line["steps"]]
        assert {step["progress"] for step in steps} <= set(cell.table.states)


def test_a_served_policy_makes_them_as_well(
    tmp_path: Path, calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = planted_context(PROBLEM, questions(40, 1), tmp_path, calibration)
    fields = shared_fields(sweep_spec(tmp_path, gains="measured"), CellSpec)
    spec = build(CellSpec, {**fields, "strategy": "argo", "retrieval_cost": PRICE})
    files = PolicyFiles(
        published(spec.model_dump(mode="json"), StrategyRange(strategy="argo")).model_copy(
            update={"digests": context.digests}
        ),
        calibration,
    )
    monkeypatch.setattr(LocalContext, "open_for", lambda *_, **__: context)
    policy = LoadedPolicy(files, spec)

    finished = AnsweringService(policy).answer(context.questions.questions[0], RequestPrice(PRICE))

    assert tuple(step.action for step in finished.outcome.steps) == PLANNED


def identity(**values: Any) -> str:
    return cell_id(build(CellSpec, {"calibration": "made", **values}), {})


def test_cells_are_no_longer_those_of_versions_that_advanced_by_the_given_gains() -> None:
    assert identity(gains="measured") != "3603107fcc3931df"
    assert identity(gains="measured", progress="measured") == "d5344b4c7716779e"


def test_a_study_is_no_longer_that_of_such_a_version() -> None:
    of_now = build(StudySpec, {"calibration": "made", "gains": "measured"})
    by_progress = of_now.model_copy(update={"progress": "measured"})

    assert '"step_gains": "measured"' in of_now.search_text
    assert "step_gains" not in by_progress.search_text
