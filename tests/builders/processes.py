"""`mlflow run` as a process, as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(parameters: Mapping[str, str], *options: str, env_manager: str = "local") -> list[str]:
    """The command that a user would type in the project's folder."""
    given = [text for name, value in parameters.items() for text in ("-P", f"{name}={value}")]
    mlflow = [sys.executable, "-m", "mlflow", "run", str(ROOT)]
    return [*mlflow, "--env-manager", env_manager, "--experiment-name", "end", *options, *given]


def environment(tracking_uri: str, **more: str) -> dict[str, str]:
    """The user's environment with the tests' interpreter first and one tracking store."""
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_RUN_ID"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "MLFLOW_TRACKING_URI": tracking_uri, "GIT_PYTHON_REFRESH": "quiet"}
    return {**inherited, **own, "MLFLOW_DISABLE_TELEMETRY": "true", **more}


def tell_of_opened(patch: pytest.MonkeyPatch, tracking_uri: str, run_id: str) -> None:
    """Tell this process of a run, as `mlflow run` tells the one that it starts."""
    patch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    patch.setenv("MLFLOW_RUN_ID", run_id)


def finish(
    arguments: list[str], environ: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        arguments, env=environ, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done
