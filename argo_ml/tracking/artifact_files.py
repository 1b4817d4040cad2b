"""Files logged as artifacts: nobody ever reads half of one, whenever the process that logs dies."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mlflow import MlflowClient
from mlflow.utils.file_utils import get_local_path_or_none

UNFINISHED = ".artifact.uploading."
"""How the name of a file begins that MLflow is writing into a local folder; it does not list it."""


def log_files(client: MlflowClient, run_id: str, folder: Path) -> None:
    """Log what is below ``folder``, file by file.

    MLflow copies a whole folder into a local place as it goes, but writes a single file beside
    and renames it.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            within = path.parent.relative_to(folder)
            client.log_artifact(run_id, str(path), within.as_posix() if within.parts else None)


def local_folder(artifact_uri: str) -> Path | None:
    """Where artifacts lie on the disk of whoever writes them; None of those elsewhere."""
    place = get_local_path_or_none(artifact_uri)  # type: ignore[no-untyped-call]
    return Path(place) if place else None


def remove_unfinished(artifact_uri: str) -> None:
    """Remove what a dead process was writing into a local folder; elsewhere nothing is left."""
    place = local_folder(artifact_uri)
    for path in place.rglob(f"{UNFINISHED}*") if place else ():
        with contextlib.suppress(OSError):
            path.unlink()
