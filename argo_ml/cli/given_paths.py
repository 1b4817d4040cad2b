"""Files and folders that a user names, looked for before anything takes seconds to import."""

from __future__ import annotations

from pathlib import Path

from argo_ml.config import DoctorSpec, Spec
from argo_ml.config.source_fields import DatasetFields
from argo_ml.corpus.documents import WHAT_WORKS
from argo_ml.datasets.loading import DATASETS
from argo_ml.errors import ConfigError, DataError

_FILES = ("outcomes", "calibration_outcomes")


def check_given_paths(spec: Spec) -> None:
    """Raises `DataError` or `ConfigError` for one that is not there and would be read.

    What a plugin makes of a text is its own affair, and `doctor` lists everything that is missing.
    """
    if isinstance(spec, DoctorSpec):
        return
    ignored = {name for name, _ in spec.unread()}
    names = [*_FILES, *(["questions"] if _reads_questions(spec) else [])]
    for name in (name for name in names if name not in ignored):
        if given := _missing(spec, name):
            raise DataError(f"{name}={given}: no such file")
    if "documents" not in ignored and (given := _missing(spec, "documents")):
        raise DataError(f"documents={given}: no such folder or file; {WHAT_WORKS}")
    given = _missing(spec, "model") if spec.opens_model else ""
    if given.startswith(("/", "./", "../", "~/")):
        raise ConfigError(f"model={given}: no such file or folder")


def _reads_questions(spec: Spec) -> bool:
    return isinstance(spec, DatasetFields) and spec.dataset in DATASETS


def _missing(spec: Spec, name: str) -> str:
    """What was given, where nothing is there; empty where something is, or nothing was given."""
    given = str(getattr(spec, name, ""))
    return "" if not given or Path(given).expanduser().exists() else given
