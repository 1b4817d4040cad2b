"""A dataset that cannot be opened is refused before anything is opened and a run is created."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient

from argo_ml.comparison.model_comparison import run_comparison
from argo_ml.config import (
    CalibrateSpec,
    CellSpec,
    CompareSpec,
    EstimateSpec,
    Spec,
    StudySpec,
    SweepSpec,
    build,
)
from argo_ml.errors import ConfigError
from argo_ml.exploring.calibrate import run_calibration
from argo_ml.study.running import run_study
from argo_ml.sweep.answer import answer_question
from argo_ml.sweep.estimate.estimation import run_estimate
from argo_ml.sweep.running import run_cell, run_sweep


def answer(spec: CellSpec) -> object:
    return answer_question(spec, "Which?")


@pytest.mark.parametrize(
    ("run", "spec_type", "values"),
    [
        (run_sweep, SweepSpec, {}),
        (run_cell, CellSpec, {}),
        (run_estimate, EstimateSpec, {}),
        (run_calibration, CalibrateSpec, {}),
        (run_study, StudySpec, {}),
        (run_comparison, CompareSpec, {"models": "a,b"}),
        (answer, CellSpec, {}),
    ],
)
def test_an_unknown_dataset_is_refused_before_a_run_is_created(
    tracking_uri: str, run: Callable[[Any], object], spec_type: type[Spec], values: dict[str, str]
) -> None:
    spec = build(spec_type, {"dataset": "atlsa", "tracking_uri": tracking_uri, **values})
    with pytest.raises(ConfigError, match=r"dataset=atlsa is unknown; did you mean 'atlas'\?"):
        run(spec)
    client = MlflowClient(tracking_uri)
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert found == []
