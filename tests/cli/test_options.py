from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from argo_ml.cli.command_specs import COMMANDS
from argo_ml.cli.commands import execute
from argo_ml.cli.options import SpecCommand, default_text
from argo_ml.cli.parameter_tables import parameters_text
from argo_ml.cli.sections import ordered_names, sections
from argo_ml.config import HelpSection, SweepSpec
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


def test_a_negative_value_is_no_option(command: SpecCommand, seen: list[SweepSpec]) -> None:
    invoke(command, "--min_similarity", "-1", "--n_questions", "7")
    assert (seen[0].min_similarity, seen[0].n_questions) == (-1.0, 7)


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


def test_a_params_file_may_lie_at_home(
    command: SpecCommand,
    seen: list[SweepSpec],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "p.yaml").write_text("seed: 7\n")

    invoke(command, "--params", "~/p.yaml")

    assert seen[0].seed == 7


@pytest.mark.parametrize("name", ["params", "documents", "cache_dir", "model", "prices_file"])
def test_a_home_of_nobody_is_named_on_one_line(command: SpecCommand, name: str) -> None:
    with pytest.raises(ConfigError) as raised:
        invoke(command, f"--{name}", "~nobody0/x")

    assert str(raised.value) == (f"{name}=~nobody0/x: there is no user nobody0; write ~/nobody0/x")


def test_defaults_that_mlflow_run_passes_count_as_not_given(
    command: SpecCommand, seen: list[SweepSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_ML_TOP_K", "2")
    monkeypatch.setenv("MLFLOW_RUN_ID", "r1")

    invoke(command, "--top_k", "3", "--seed", "7")

    assert (seen[0].top_k, seen[0].seed) == (2, 7)
    assert seen[0].model_fields_set == {"top_k", "seed"}


def test_unknown_option_suggests_the_nearest(command: SpecCommand) -> None:
    with pytest.raises(ConfigError, match="'dificulty' is unknown; did you mean 'difficulty'"):
        invoke(command, "--dificulty", "hard")


def test_every_option_has_help(command: SpecCommand) -> None:
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_default_text_of_a_list_is_comma_separated() -> None:
    field = SweepSpec.model_fields["strategies"]

    assert default_text(field) == "argo,always_retrieve,always_reason,random,never,single"


def help_lines(capsys: pytest.CaptureFixture[str], *command: str) -> list[str]:
    assert execute([*command, "--help"]) == 0
    return capsys.readouterr().out.splitlines()


def test_help_shows_the_ten_most_used_first_and_then_group_by_group(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = help_lines(capsys, "sweep")

    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    first = lines[lines.index("Most used:") : lines.index("Strategies and prices:")]
    assert titles == [
        "Most used:",
        "Strategies and prices:",
        "Prices in your own unit:",
        "Questions:",
        "Documents:",
        "Model:",
        "Model servers:",
        "Episode:",
        "Decision process:",
        "Looking at the question:",
        "Settings of single strategies:",
        "Tracking and cache:",
        "Execution:",
        "Strategies by name (docs/policies.md):",
        "In general:",
    ]
    assert [line.split()[0] for line in first if line.startswith("  --")] == [
        *("--mode", "--dataset", "--questions", "--documents", "--difficulty", "--model"),
        *("--gpus", "--strategies", "--retrieval_costs", "--calibration"),
    ]


@pytest.mark.parametrize("command", ["sweep", "replay", "advise", "calibrate", "publish"])
def test_help_lists_the_strategies_and_which_are_baselines(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = help_lines(capsys, command)

    listed = lines[lines.index("Strategies by name (docs/policies.md):") + 1 :]
    kinds = [line.removeprefix("  ").split("  ")[0] for line in listed[: listed.index("")]]
    assert [kind for kind in kinds if kind.strip()][-2:] == ["gate", "published baseline"]
    [at] = [at for at, kind in enumerate(kinds) if kind == "published baseline"]
    assert "tasr" in " ".join(listed[at : listed.index("")])
    assert not any("tasr" in line for line in listed[:at])


def test_a_command_that_names_no_strategies_lists_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert not any("by name" in line for line in help_lines(capsys, "index"))


def test_help_calls_a_number_one_also_where_it_may_be_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert any("--value_of_correct NUMBER" in line for line in help_lines(capsys, "sweep"))
    assert any("--theta_cont_range LIST" in line for line in help_lines(capsys, "tune"))


@pytest.mark.parametrize(
    "row",
    [
        "| `calibration_share` | `0.5` | number; > 0; < 1 |",
        "| `value_of_correct` | not set | number; > 0 |",
        "| `max_new_tokens` | not set | whole number; ≥ 1 |",
    ],
)
def test_the_tables_have_both_bounds_of_a_parameter(row: str) -> None:
    assert row in parameters_text()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_shows_every_parameter_once_within_eighty_columns(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = {"main": "sweep"}.get(name, name).split()

    lines = help_lines(capsys, *command)

    shown = [line.split()[0][2:] for line in lines if line.startswith("  --")]
    assert sorted(shown) == sorted([*COMMANDS[name].model_fields, "params", "debug"])
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", [name for name, spec in COMMANDS.items() if spec.most_used])
def test_ten_parameters_of_a_command_come_first(name: str) -> None:
    spec_type = COMMANDS[name]

    shown = sections(spec_type)[HelpSection.MOST_USED]

    assert len(set(shown)) == 10
    assert ordered_names(spec_type)[:10] == shown
    assert set(ordered_names(spec_type)) == set(spec_type.model_fields)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from argo_ml.cli.commands import execute; execute(['sweep', '--help']); "
        "print('loaded:', *{'torch', 'mlflow', 'optuna', 'chromadb'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "loaded:"
