"""How commands that are printed name the store that they need."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from builders import small_study

from argo_ml.cli.commands import EXIT_INTERRUPTED, execute
from argo_ml.cli.rendering.serving import print_registered
from argo_ml.serving.published import PublishedPolicy
from argo_ml.serving.registering import Registered
from argo_ml.sweep import running
from argo_ml.tracking import location
from argo_ml.tracking.location import Surroundings, remember_store, serving_command, store_option
from argo_ml.tracking.stores import STORE_VARIABLE, sqlite_uri

SERVER = "https://T:5443"


@pytest.fixture(autouse=True)
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A shell in a folder of its own, whose environment names no store."""
    monkeypatch.setattr(location, "_met_in", {})
    monkeypatch.chdir(tmp_path)
    for name in (STORE_VARIABLE, location.OWN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def opened(uri: str) -> None:
    remember_store(uri, Surroundings.present())


def test_a_store_that_an_option_named_is_named_again() -> None:
    opened(SERVER)

    assert store_option(SERVER) == f" --tracking_uri {SERVER}"


@pytest.mark.parametrize("variable", [STORE_VARIABLE, location.OWN_VARIABLE])
def test_a_store_of_the_environment_is_not(shell: pytest.MonkeyPatch, variable: str) -> None:
    shell.setenv(variable, f"{SERVER}/")
    opened(SERVER)

    assert store_option(SERVER) == ""


def test_the_store_of_this_folder_is_not(tmp_path: Path) -> None:
    for uri in ("sqlite:///mlflow.db", sqlite_uri(tmp_path / "mlflow.db")):
        opened(uri)

        assert store_option(uri) == ""


def test_what_mlflow_makes_of_the_environment_does_not_count(shell: pytest.MonkeyPatch) -> None:
    opened(SERVER)
    shell.setenv(STORE_VARIABLE, SERVER)
    opened(SERVER)

    assert store_option(SERVER) == f" --tracking_uri {SERVER}"


def test_an_environment_that_names_no_store_is_none(shell: pytest.MonkeyPatch) -> None:
    shell.setenv(STORE_VARIABLE, "sqlite:mlflow.db")
    opened("sqlite:///x.db")

    assert store_option("sqlite:///x.db") == " --tracking_uri sqlite:///x.db"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:abc@host/db", "postgresql://me:PASSWORD@host/db"),
        ("https://me:a@bc@host", "https://me:PASSWORD@host"),
        ("https://abc@host", "https://PASSWORD@host"),
        ("postgresql://host/db?password=abc", "'postgresql://host/db?password=PASSWORD'"),
        ("postgresql://me:ab c@host/db", "postgresql://host/db"),
        ("postgresql://me:ab'c@host/db", "postgresql://host/db"),
    ],
    # pytest puts the id into the environment, whose passwords are known.
    ids=["password", "at_sign", "token", "query", "space", "quotation_mark"],
)
def test_a_password_is_never_shown(shell: pytest.MonkeyPatch, uri: str, shown: str) -> None:
    opened(uri)
    shell.setattr(location, "get_tracking_uri", lambda: uri)

    assert store_option() == f" --tracking_uri {shown}"
    assert serving_command("models:/bot").startswith(f"MLFLOW_TRACKING_URI={shown} mlflow ")


def test_serving_names_the_store_unless_the_variable_does(shell: pytest.MonkeyPatch) -> None:
    shell.setattr(location, "get_tracking_uri", lambda: SERVER)
    opened(SERVER)
    command = "mlflow models serve -m models:/bot@champion --env-manager local --port 5001"

    assert serving_command("models:/bot@champion") == f"MLFLOW_TRACKING_URI={SERVER} {command}"

    shell.setattr(location, "_met_in", {})
    shell.setenv(STORE_VARIABLE, SERVER)
    opened(SERVER)
    assert serving_command("models:/bot@champion") == command


def test_a_published_policy_is_loaded_from_where_it_is(
    shell: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(SERVER)
    shell.setattr(location, "get_tracking_uri", lambda: SERVER)
    published = PublishedPolicy.model_construct(ranges=(), sweep_id="s1", n_questions=9)

    print_registered(Registered("bot", "1", "best", "models:/bot@best", "r1", "m1", published))

    shown = capsys.readouterr().out
    assert f'argo_ml.load_policy("models:/bot@best", tracking_uri="{SERVER}")' in shown
    assert f"serve it: MLFLOW_TRACKING_URI={SERVER} mlflow models serve -m models:/bot@b" in shown


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_the_command_that_is_printed_goes_on_with_a_sweep(
    shell: pytest.MonkeyPatch, tmp_path: Path, cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = {**small_study.write(tmp_path), "cache_dir": str(cache_dir), "n_questions": "2"}
    store = f"sqlite:///{tmp_path}/else where/x.db"
    options = [text for name, value in values.items() for text in (f"--{name}", value)]
    with shell.context() as patch:
        patch.setattr(running, "run_cells", _interrupt)
        assert execute(["sweep", *options, "--tracking_uri", store]) == EXIT_INTERRUPTED
    [said] = [text for text in caplog.messages if "go on with: " in text]

    command = shlex.split(said.partition("go on with: ")[2])
    kept = {name: value for name, value in os.environ.items() if name != STORE_VARIABLE}
    subprocess.run([sys.executable, "-m", "argo_ml", *command[1:]], env=kept, check=True)

    [run] = mlflow.MlflowClient(store).search_runs(["1"], "tags.`argo.kind` = 'sweep'")
    assert run.info.status == "FINISHED"


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
