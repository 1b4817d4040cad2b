"""What `mlflow run` changes around a command, and how a command undoes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from builders.processes import environment

from argo_ml.cli.project_run import callers_folder, return_to_caller

CHILD = (
    "import os, subprocess, sys; project, code = sys.argv[1:]; "
    "subprocess.run(['bash', '-c', f'{sys.executable} -c \\'{code}\\' && true'], cwd=project, "
    "env={**os.environ, 'MLFLOW_RUN_ID': 'r1'}, check=True)"
)
"""Starts Python as `mlflow run` does: by a shell, in the project's folder, with the run's id."""


def start_in(folder: Path, project: Path) -> str:
    """Where a process of ``project`` is after it has returned to its caller in ``folder``."""
    code = (
        "import os; from argo_ml.cli.project_run import return_to_caller; "
        "return_to_caller(); print(os.getcwd())"
    )
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(project), code],
        cwd=folder,
        env=environment(""),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_command_of_a_project_returns_to_the_folder_of_its_caller(tmp_path: Path) -> None:
    project, caller = tmp_path / "project", tmp_path / "caller"
    project.mkdir()
    caller.mkdir()
    (project / "MLproject").write_text("name: project")

    assert start_in(caller, project) == str(caller)
    assert start_in(project, project) == str(project)


def test_folder_stays_where_no_project_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_RUN_ID", "r1")

    return_to_caller()

    assert Path.cwd() == tmp_path


def test_caller_that_cannot_be_seen_is_unknown() -> None:
    assert callers_folder("r1", []) is None
