"""What dead processes have left: runs that stay RUNNING, locks, and empty folders of the cache."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from argo_ml.config import DoctorSpec
from argo_ml.doctor.check import Check, Status, ok, refused, warning
from argo_ml.errors import ArgoError
from argo_ml.processes import LOCK_PREFIX, is_free_lock, remove_free_lock
from argo_ml.tracking.owners import hosts
from argo_ml.tracking.reconciling import Reconciled, reconcile_store
from argo_ml.tracking.stores import default_uri, sqlite_path

REPAIR = "argo-ml doctor --repair with the same tracking_uri and cache_dir"
_SETTLED_S = 3600
"""Age of an empty folder that nobody is about to fill."""


def check_runs(spec: DoctorSpec) -> Check:
    """Runs of the whole store; those of dead processes are ended where ``repair`` is set."""
    path = sqlite_path(spec.tracking_uri or default_uri())
    if path is not None and not path.exists():
        return ok("runs", "no store is there yet")
    try:
        reconciled = reconcile_store(spec.tracking_uri, spec.repair)
    except ArgoError as error:
        return refused("runs", error)
    n_lost = len(reconciled.ended)
    if n_lost and not spec.repair:
        detail = "; ".join((f"{n_lost} are RUNNING of processes that died", *_others(reconciled)))
        return warning("runs", detail, REPAIR)
    ended = f"{n_lost} of processes that died are ended now" if n_lost else "no process left any"
    return ok("runs", "; ".join((ended, *_others(reconciled))))


def _others(reconciled: Reconciled) -> Iterator[str]:
    if reconciled.elsewhere:
        where = ", ".join(sorted({host for run in reconciled.elsewhere for host in hosts(run)}))
        yield f"{len(reconciled.elsewhere)} of {where} are left alone: look from there"
    if reconciled.nameless:
        yield (
            f"{len(reconciled.nameless)} of an earlier version name no process and are left alone: "
            "resume them, or end them with MLflow"
        )


def check_leftovers(spec: DoctorSpec) -> Check:
    """Locks that nobody holds and empty folders; removed where ``repair`` is set."""
    locks = [path for path in _locks(spec.cache_path) if is_free_lock(path)]
    folders = list(_empty_folders(spec.cache_path))
    if not locks and not folders:
        return ok("leftovers", "no stale lock and no empty folder")
    n_locks, n_folders = len(locks), len(folders)
    if not spec.repair:
        detail = f"{n_locks} locks that nobody holds, {n_folders} empty folders"
        return warning("leftovers", detail, REPAIR)
    n_locks = sum(map(remove_free_lock, locks))
    n_folders = sum(map(_remove_empty, folders))
    removed = f"{n_locks} stale locks and {n_folders} empty folders removed"
    n_left = len(locks) + len(folders) - n_locks - n_folders
    if n_left:
        return Check("leftovers", Status.WARNING, f"{removed}; {n_left} could not be")
    return ok("leftovers", removed)


def _locks(cache_path: Path) -> Iterator[Path]:
    yield from Path(tempfile.gettempdir()).glob(f"{LOCK_PREFIX}*.lock")
    yield from cache_path.rglob("*.lock")


def _empty_folders(cache_path: Path) -> Iterator[Path]:
    latest = time.time() - _SETTLED_S
    for place, folders, files in os.walk(cache_path):
        path = Path(place)
        if path != cache_path and not folders and not files and path.stat().st_mtime < latest:
            yield path


def _remove_empty(path: Path) -> bool:
    try:
        path.rmdir()
    except OSError:
        return False
    return True
