from __future__ import annotations

import logging
from typing import Any

import pytest

from argo_ml.cli.options import SpecCommand
from argo_ml.config import CalibrateSpec, PlanSpec, Spec, StudySpec, SweepSpec, build
from argo_ml.models import precision
from argo_ml.models.precision import with_precision


@pytest.fixture(autouse=True)
def fast_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "count_gpus", lambda: 0)


def precision_of(spec_type: type[Spec] = SweepSpec, **values: Any) -> str:
    text: str = vars(with_precision(build(spec_type, values)))["precision"]
    return text


@pytest.mark.parametrize("spec_type", [SweepSpec, CalibrateSpec, StudySpec, PlanSpec])
def test_auto_is_what_the_processor_multiplies_fastest(
    spec_type: type[Spec], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert precision_of(spec_type) == "bfloat16"
    assert "precision=bfloat16, which this processor multiplies fastest" in caplog.text


def test_other_processors_compute_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: False)
    assert precision_of() == "auto"


def test_a_precision_that_was_asked_for_stays() -> None:
    assert precision_of(precision="float32") == "float32"


def test_gpus_choose_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "count_gpus", lambda: 1)
    assert precision_of() == "auto"
    assert precision_of(device="cpu") == "bfloat16"


@pytest.mark.parametrize(
    "values",
    [
        {"model": "scripted:table.yaml"},
        {"model": "server:name", "server_urls": "http://localhost:1"},
        {"engine": "llamacpp"},
        {"executor": "ray"},
    ],
)
def test_models_that_compute_elsewhere_are_left_alone(values: dict[str, Any]) -> None:
    assert precision_of(**values) == "auto"


@pytest.mark.parametrize("values", [{"resume": "abc"}, {"calibration": "abc"}])
def test_what_follows_a_stored_run_means_what_that_meant(values: dict[str, Any]) -> None:
    assert precision_of(**values) == "auto"


def test_commands_hand_on_what_auto_came_to() -> None:
    handled: list[SweepSpec] = []
    SpecCommand("sweep", SweepSpec, handled.append).main([], standalone_mode=False)
    assert [spec.precision for spec in handled] == ["bfloat16"]
