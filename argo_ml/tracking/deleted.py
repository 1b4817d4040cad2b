"""Runs that were deleted in MLflow: they can still be read, and take nothing more."""

from __future__ import annotations

from mlflow.entities import LifecycleStage, Run


def is_deleted(run: Run) -> bool:
    return bool(run.info.lifecycle_stage == LifecycleStage.DELETED)


def way_back(run_id: str) -> str:
    """What takes it back, for an error's line."""
    return f"mlflow runs restore --run-id {run_id}"
