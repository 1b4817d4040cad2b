"""What `mlflow run` sets up before it starts a command: a run, the project's folder, all options.

It starts every entry point in the project's folder, in a shell of its own, with the run that it
opened in ``MLFLOW_RUN_ID`` and every parameter on the command line.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

RUN_ID = "MLFLOW_RUN_ID"
PROJECT_FILE = "MLproject"
_SHELLS = frozenset({"bash", "cmd", "cmd.exe"})

logger = logging.getLogger(__name__)


def is_project_run() -> bool:
    """Whether `mlflow run` has started this process, and its run is not in use yet."""
    return bool(os.environ.get(RUN_ID))


def return_to_caller() -> None:
    """Go back to the folder that `mlflow run` was called in, so that relative paths mean that."""
    if not is_project_run() or not Path(PROJECT_FILE).is_file():
        return
    folder = callers_folder(os.environ[RUN_ID], psutil.Process().parents())
    if folder is not None and folder != Path.cwd():
        os.chdir(folder)
        logger.info("relative paths are those of %s", folder)


def callers_folder(run_id: str, ancestors: Iterable[psutil.Process]) -> Path | None:
    """Where the nearest process works that is neither of the run nor the shell that starts it.

    None where that cannot be seen, as in a container.
    """
    for process in ancestors:
        try:
            if process.name() not in _SHELLS and process.environ().get(RUN_ID) != run_id:
                return Path(process.cwd())
        except psutil.Error:
            return None
    return None
