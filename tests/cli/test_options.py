from __future__ import annotations

from pathlib import Path

import click
import pytest

from argo_ml.cli.options import SpecCommand, default_text
from argo_ml.config import SweepSpec
from argo_ml.errors import ConfigError


@pytest.fixture
def seen() -> list[SweepSpec]:
    return []


@pytest.fixture
def command(seen: list[SweepSpec]) -> SpecCommand:
    return SpecCommand("sweep", SweepSpec, seen.append)


def invoke(command: click.Command, *arguments: str) -> None:
    command.main(list(arguments), standalone_mode=False)


@pytest.mark.parametrize("option", ["--n-questions", "--n_questions"])
def test_both_spellings_are_accepted(
    command: SpecCommand, seen: list[SweepSpec], option: str
) -> None:
    invoke(command, option, "7")

    assert seen[0].n_questions == 7


def test_empty_value_means_not_given(command: SpecCommand, seen: list[SweepSpec]) -> None:
    invoke(command, "--n_questions", "", "--mode", "medium")

    assert seen[0].question_limit == 100


def test_command_line_comes_before_environment_before_file(
    command: SpecCommand,
    seen: list[SweepSpec],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("seed: 1\ntop_k: 1\nmax_steps: 1\n")
    monkeypatch.setenv("ARGO_ML_TOP_K", "2")
    monkeypatch.setenv("ARGO_ML_MAX_STEPS", "2")

    invoke(command, "--params", str(params), "--max_steps", "3")

    assert (seen[0].seed, seen[0].top_k, seen[0].max_steps) == (1, 2, 3)


def test_unknown_option_suggests_the_nearest(command: SpecCommand) -> None:
    with pytest.raises(ConfigError, match="'dificulty' is unknown; did you mean 'difficulty'"):
        invoke(command, "--dificulty", "hard")


def test_every_option_has_help(command: SpecCommand) -> None:
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_default_text_of_a_list_is_comma_separated() -> None:
    field = SweepSpec.model_fields["strategies"]

    assert default_text(field) == "argo,always_retrieve,always_reason,random"
