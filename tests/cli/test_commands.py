"""The command line as a user meets it: what works, and what bad input gets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from builders import small_study
from builders.places import free_port
from builders.processes import tell_of_opened
from mlflow import MlflowClient

from argo_ml.cli.commands import cli, execute
from argo_ml.tracking.runs import ERROR, KIND

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def closed_port() -> int:
    return free_port()


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"default": "hash"}))
    return f"scripted:{path}"


def failure(capsys: Captured, *arguments: str) -> tuple[int, str]:
    """Exit code and the one line that a failing command leaves on stderr."""
    code = execute(arguments)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, lines
    return code, lines[0]


def test_help_lists_every_command(capsys: Captured) -> None:
    assert execute(["--help"]) == 0

    out = capsys.readouterr().out
    assert [name for name in cli.commands if name not in out] == []


def test_every_option_has_a_help_text() -> None:
    import click

    commands = [*cli.commands.values(), *cli.commands["cache"].commands.values()]  # type: ignore[attr-defined]
    options = [
        option
        for command in commands
        for option in command.params
        if isinstance(option, click.Option)
    ]
    assert len(options) > 100
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--strategies", "agro"], ["'agro'", "did you mean 'argo'"]),
        (["--mode", "huge"], ["mode=huge", "small"]),
        (["--dataset", "mmlu"], ["dataset=mmlu", "atlas"]),
        (["--model", "qwen9"], ["qwen9", "smollm2-135m"]),
        (["--sede", "3"], ["'sede'", "did you mean 'seed'"]),
        (["--seed", "many"], ["seed=many", "integer"]),
        (["--retrieval_costs", "0.1,-0.2"], ["retrieval_costs", "-0.2", "greater than 0"]),
        (["--retrieval_costs", "0"], ["retrieval_costs", "greater than 0"]),
        (["--p_s", "0"], ["p_s=0", "greater than 0"]),
        (["--p_s", "1.2"], ["p_s=1.2", "less than or equal to 1"]),
        (["--resume", "0123"], ["0123"]),
    ],
)
def test_bad_value_is_named_with_what_would_work(
    arguments: list[str], parts: list[str], capsys: Captured, tracking_uri: str, cache_dir: Path
) -> None:
    where = ["--tracking_uri", tracking_uri, "--cache_dir", str(cache_dir)]

    code, line = failure(capsys, "sweep", *where, *arguments)

    assert code == 1
    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize(
    ("command", "option", "part"),
    [
        ("index", "--mode", "parameter 'mode' is unknown; known: dataset, "),
        ("answer", "--n_questions", "parameter 'n_questions' is unknown; did you mean 'question'?"),
        ("answer", "--shard-size", "parameter 'shard_size' is unknown"),
        ("tune", "--theta_cont", "'theta_cont' is unknown; did you mean 'theta_cont_range'?"),
        ("calibrate", "--progress", "parameter 'progress' is unknown"),
        ("estimate", "--workers", "parameter 'workers' is unknown"),
        ("plan", "--threads", "parameter 'threads' is unknown"),
        ("verify", "--documents", "parameter 'documents' is unknown"),
        ("compare", "--model", "parameter 'model' is not taken here: put every model into models="),
    ],
)
def test_option_that_would_do_nothing_is_refused(
    command: str, option: str, part: str, capsys: Captured
) -> None:
    code, line = failure(capsys, command, option, "1")

    assert code == 1
    assert part in line


def test_folder_without_documents_is_refused(
    capsys: Captured, tracking_uri: str, cache_dir: Path, tmp_path: Path, script: str
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    common = ["--tracking_uri", tracking_uri, "--cache_dir", str(cache_dir), "--model", script]

    code, line = failure(capsys, "sweep", *common, "--documents", str(empty))

    assert code == 1
    assert f"documents={empty}: empty" in line
    assert MlflowClient(tracking_uri).search_runs(["1"]) == []


def test_questions_beside_a_dataset_that_brings_its_own_are_refused(
    capsys: Captured, tracking_uri: str, cache_dir: Path, tmp_path: Path, script: str
) -> None:
    questions = tmp_path / "my.jsonl"
    questions.touch()
    common = ["--tracking_uri", tracking_uri, "--cache_dir", str(cache_dir), "--model", script]

    code, line = failure(capsys, "sweep", *common, "--questions", str(questions))

    assert code == 1
    assert line.startswith(f"error: questions={questions}: dataset=atlas brings its own; add datas")
    assert MlflowClient(tracking_uri).search_runs(["1"]) == []


def test_questions_without_a_usable_line_are_refused(
    capsys: Captured, tracking_uri: str, cache_dir: Path, tmp_path: Path, script: str
) -> None:
    questions, documents = tmp_path / "questions.jsonl", tmp_path / "documents"
    questions.write_text('{"id": "1"}\nnot json\n')
    documents.mkdir()
    (documents / "a.txt").write_text("Lima is the capital of Peru.")
    common = ["--tracking_uri", tracking_uri, "--cache_dir", str(cache_dir), "--model", script]
    sources = ["--dataset", "jsonl", "--questions", str(questions), "--documents", str(documents)]

    code, line = failure(capsys, "sweep", *common, *sources)

    assert code == 1
    assert str(questions) in line


def test_unreachable_tracking_server_is_named(
    capsys: Captured, closed_port: int, cache_dir: Path
) -> None:
    uri = f"http://127.0.0.1:{closed_port}"

    code, line = failure(capsys, "sweep", "--tracking_uri", uri, "--cache_dir", str(cache_dir))

    assert code == 1
    assert uri in line


def test_unreachable_chroma_server_is_named(
    capsys: Captured, closed_port: int, tracking_uri: str, cache_dir: Path, script: str
) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    common = ["--tracking_uri", tracking_uri, "--cache_dir", str(cache_dir), "--model", script]

    code, line = failure(capsys, "sweep", *common, "--chroma_url", url)

    assert code == 1
    assert url in line


def test_error_is_kept_on_the_run_that_mlflow_opened(
    capsys: Captured, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(tracking_uri)
    opened = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", opened)
    # As `mlflow run` hands it to a process of its own; earlier tests have set one in this process.
    mlflow.set_tracking_uri(tracking_uri)

    code, line = failure(capsys, "sweep", "--mode", "huge")

    run = client.get_run(opened)
    assert code == 1
    assert run.info.status == "FAILED"
    assert line == f"error: {run.data.tags[ERROR]}"


def test_error_of_a_command_that_is_told_of_another_store_is_kept_where_mlflow_opened_its_run(
    capsys: Captured, tracking_uri: str, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(empty_store, "other.db")
    client = MlflowClient(tracking_uri)
    opened = client.create_run("0").info.run_id
    tell_of_opened(monkeypatch, tracking_uri, opened)

    _, line = failure(
        capsys, "verify", "--sweep", "nosuchrun", "--tracking_uri", "sqlite:///other.db"
    )

    run = client.get_run(opened)
    assert run.info.status == "FAILED"
    assert line == f"error: {run.data.tags[ERROR]}"


@pytest.mark.parametrize("command", ["cache stats", "verify --sweep nosuchrun"])
def test_a_run_that_an_earlier_command_has_used_stays_as_it_is(
    tracking_uri: str,
    cache_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    command: str,
) -> None:
    client = MlflowClient(tracking_uri)
    opened = client.create_run("0", tags={KIND: "sweep"}, run_name="a sweep").info.run_id
    client.set_terminated(opened)
    before = client.get_run(opened).to_dictionary()
    tell_of_opened(monkeypatch, tracking_uri, opened)

    execute([*command.split(), "--cache_dir", str(cache_dir)])

    assert client.get_run(opened).to_dictionary() == before
    assert f"MLFLOW_RUN_ID={opened} names the sweep of another command" in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_a_sweep_ends_with_the_sentences_of_its_evaluation_and_so_does_a_finished_one(
    capsys: Captured, tracking_uri: str, cache_dir: Path, tmp_path: Path
) -> None:
    places = {"tracking_uri": tracking_uri, "cache_dir": str(cache_dir)}
    values = {**small_study.write(tmp_path), **places, "strategies": "never,single"}

    assert execute(["sweep", *(f"--{name}={value}" for name, value in values.items())]) == 0

    out = capsys.readouterr().out
    assert "\nTo settle single at each price" in out
    [run_id] = re.findall(r"run (\w{32}) in experiment", out)
    where = (f"--{name}={value}" for name, value in places.items())
    assert execute(["sweep", "--resume", run_id, *where]) == 0
    assert capsys.readouterr().out == out


def test_a_store_that_is_gone_fails_no_command_that_succeeded(
    cache_dir: Path,
    closed_port: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "r1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port}")

    assert execute(["cache", "stats", "--cache_dir", str(cache_dir)]) == 0

    assert "nothing could be kept on run r1" in caplog.text


def test_question_can_be_asked_without_an_option(
    capsys: Captured, cache_dir: Path, tmp_path: Path, script: str
) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text("Lima is the capital of Peru.")
    options = ["--cache_dir", str(cache_dir), "--model", script, "--max_steps", "1"]
    options += ["--retrieval_cost", "0.02"]

    code = execute(
        ["answer", "Capital of Peru?", *options, "--documents", str(tmp_path / "documents")]
    )

    out = capsys.readouterr().out
    assert code == 0
    assert "Question  Capital of Peru?" in out
    assert "Step 1" in out
    assert "Lima is the capital of Peru." in out


def test_question_is_needed(capsys: Captured) -> None:
    code, line = failure(capsys, "answer")

    assert code == 1
    assert "question is empty" in line


def test_cache_of_nobody_is_empty(capsys: Captured, cache_dir: Path) -> None:
    assert execute(["cache", "stats", "--cache_dir", str(cache_dir)]) == 0
    assert "0 calls (empty)" in capsys.readouterr().out


def test_text_that_the_output_cannot_show_stands_as_its_code(tmp_path: Path) -> None:
    (tmp_path / "漢字").write_text("Lima is the capital of Peru.", encoding="utf-8")
    inputs = ["--only_inputs", "--documents", str(tmp_path / "漢字")]

    done = subprocess.run(
        [sys.executable, "-m", "argo_ml", "doctor", *inputs],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )

    assert rb"\u6f22\u5b57" in done.stdout
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "arguments", "is_shown"),
    [
        ("1", ["sweep"], True),
        ("", ["--debug", "sweep"], True),
        ("", ["sweep", "--debug"], True),
        ("0", ["sweep"], False),
        ("false", ["sweep"], False),
    ],
)
def test_traceback_is_shown_on_request(
    variable: str,
    arguments: list[str],
    is_shown: bool,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARGO_ML_DEBUG", variable)

    code = execute([*arguments, "--mode", "huge"])

    err = capsys.readouterr().err
    assert code == 1
    assert ("Traceback" in err) is is_shown
    assert "error: mode=huge" in err
