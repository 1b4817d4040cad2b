"""Files of parameters that were written for another command."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from argo_ml.cli.command_specs import COMMANDS
from argo_ml.cli.params_file import read_for
from argo_ml.config import AdviseSpec, AnswerSpec, CompareSpec, SweepSpec, build
from argo_ml.errors import ConfigError

BEST = {
    "strategies": "argo,always_retrieve,fixed_threshold",
    "retrieval_costs": "0.11",
    "strategy": "fixed_threshold",
    "retrieval_cost": 0.11,
    "theta_star": 0.5,
}
"""What a study stores for the best settings at a price."""


@pytest.fixture
def best(tmp_path: Path) -> Path:
    path = tmp_path / "c_r=0.11.json"
    path.write_text(json.dumps(BEST))
    return path


def test_best_settings_of_a_study_answer_a_question(best: Path) -> None:
    spec = build(AnswerSpec, read_for(AnswerSpec, best))

    assert (spec.strategy, spec.retrieval_cost, spec.theta_star) == ("fixed_threshold", 0.11, 0.5)


def test_best_settings_of_a_study_make_a_sweep(best: Path) -> None:
    spec = build(SweepSpec, read_for(SweepSpec, best))

    assert spec.strategies == ("argo", "always_retrieve", "fixed_threshold")
    assert spec.retrieval_costs == (0.11,)


def test_what_only_other_commands_take_is_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("strategies: [argo, random]\nretrieval_costs: 0.2\nn_trials: 5\n")

    with caplog.at_level(logging.INFO):
        values = read_for(AnswerSpec, path)

    assert values == {"retrieval_cost": 0.2}
    assert "left out, as this command has none: strategies, n_trials" in caplog.text


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_file_of_any_command_is_read_by_another(tmp_path: Path, command: str) -> None:
    path = tmp_path / "params.yaml"
    names = [name for name in COMMANDS[command].model_fields if name not in SweepSpec.model_fields]
    path.write_text("".join(f"{name}: 1\n" for name in names) + "seed: 7\n")

    assert read_for(SweepSpec, path) == {"seed": 7}


def test_it_is_said_what_a_list_of_strategies_is_called_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("strategies: [argo, random]\n")

    with caplog.at_level(logging.INFO):
        values = read_for(AdviseSpec, path)

    assert values == {}
    assert "as this command has none: strategies (policies here)" in caplog.text


@pytest.mark.parametrize(("spec_type", "name"), [(AnswerSpec, "top_q"), (CompareSpec, "model")])
def test_unknown_and_refused_parameters_stay_errors(
    tmp_path: Path, spec_type: type[AnswerSpec] | type[CompareSpec], name: str
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"{name}: 3\n")

    with pytest.raises(ConfigError, match=name):
        build(spec_type, read_for(spec_type, path))
