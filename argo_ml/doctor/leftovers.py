"""What dead processes have left: RUNNING runs, and locks, halves and empty folders of the cache."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from argo_ml.config import EMBEDDED_MODEL, DoctorSpec
from argo_ml.datasets.oran_files import ORAN_BENCH, ORAN_DOCS
from argo_ml.doctor.check import Check, Status, ok, refused, warning
from argo_ml.errors import ArgoError
from argo_ml.locks import is_process_lock
from argo_ml.processes import LOCK_PREFIX, is_free_lock, remove_free_lock
from argo_ml.tracking.owners import hosts
from argo_ml.tracking.reconciling import Reconciled, reconcile_store
from argo_ml.tracking.stores import default_uri, is_yet_to_be_made

REPAIR = "argo-ml doctor --repair with the same tracking_uri and cache_dir"
_SETTLED_S = 3600
"""Age of an empty folder that nobody is about to fill, and of a half that nobody is at work on."""
_OWN_FOLDERS = (
    *("atlas", "conclusions", "indexes", "studies", "sweeps"),
    *("models/converted", "models/opened", f"models/{EMBEDDED_MODEL}"),
    *(f"data/{ORAN_BENCH}", f"data/{ORAN_DOCS}"),
)
"""Below cache_dir, where others may have files and folders beside them."""
_OWN_LOCKS = ("calls.sqlite.lock", "data/.lock")
"""Beside these folders."""
_HALF_WRITTEN = re.compile(r"\..+-[a-z0-9_]{8}")
"""Names of files and folders that are renamed once they are whole."""
_HALVES_BESIDE = re.compile(
    r"\.(?:fetch|(?:calibrations|speed_profiles)\.json|\w+_digests\.json)-[a-z0-9_]{8}"
)
"""Names of those that lie beside the own folders."""


def check_runs(spec: DoctorSpec) -> Check:
    """Runs of the whole store; those of dead processes are ended where ``repair`` is set."""
    try:
        if is_yet_to_be_made(spec.tracking_uri or default_uri()):
            return ok("runs", "no store is there yet")
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
    """Locks that nobody holds, halves and empty folders; removed where ``repair`` is set."""
    locks = [path for path in _locks(spec.cache_path) if is_free_lock(path)]
    halves = list(_half_written(spec.cache_path))
    folders = list(_empty_folders(spec.cache_path))
    n_stale = len(locks) + len(halves) + len(folders)
    if not n_stale:
        return ok("leftovers", "no stale lock, nothing half written and no empty folder")
    if not spec.repair:
        detail = (
            f"{len(locks)} locks that nobody holds, {len(halves)} half written files and folders, "
            f"{len(folders)} empty folders"
        )
        return warning("leftovers", detail, REPAIR)
    n_locks = sum(map(remove_free_lock, locks))
    n_halves = sum(map(_remove_half, halves))
    n_folders = sum(map(_remove_empty, folders))
    removed = (
        f"{n_locks} stale locks, {n_halves} half written files and folders, and {n_folders} empty "
        "folders removed"
    )
    n_left = n_stale - n_locks - n_halves - n_folders
    if n_left:
        return Check("leftovers", Status.WARNING, f"{removed}; {n_left} could not be")
    return ok("leftovers", removed)


def _locks(cache_path: Path) -> Iterator[Path]:
    yield from Path(tempfile.gettempdir()).glob(f"{LOCK_PREFIX}*.lock")
    named = [cache_path / name for name in _OWN_LOCKS]
    inside = [
        Path(place) / name
        for place, _, files in _walked(cache_path)
        for name in files
        if name.endswith(".lock")
    ]
    yield from filter(is_process_lock, (*named, *inside))


def _walked(cache_path: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """All folders of argo_ml's own, as `os.walk` gives them."""
    for name in _OWN_FOLDERS:
        yield from os.walk(cache_path / name)


def _empty_folders(cache_path: Path) -> Iterator[Path]:
    latest = time.time() - _SETTLED_S
    for place, folders, files in _walked(cache_path):
        path = Path(place)
        if not folders and not files and path.stat().st_mtime < latest:
            yield path


def _half_written(cache_path: Path) -> Iterator[Path]:
    latest = time.time() - _SETTLED_S
    for path in (*_halves_inside(cache_path), *_halves_beside(cache_path)):
        if _last_change(path) < latest:
            yield path


def _halves_inside(cache_path: Path) -> Iterator[Path]:
    for place, folders, files in _walked(cache_path):
        halves = [name for name in (*folders, *files) if _HALF_WRITTEN.fullmatch(name)]
        folders[:] = [name for name in folders if name not in halves]
        yield from (Path(place) / name for name in halves)


def _halves_beside(cache_path: Path) -> Iterator[Path]:
    for place in (cache_path, cache_path / "data"):
        yield from (path for path in place.glob(".*") if _HALVES_BESIDE.fullmatch(path.name))


def _last_change(path: Path) -> float:
    """Of a file, or of what is in a folder; 0 for what has just been removed."""
    try:
        return max(part.lstat().st_mtime for part in (path, *path.rglob("*")))
    except FileNotFoundError:
        return 0.0


def _remove_half(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return not path.exists()


def _remove_empty(path: Path) -> bool:
    try:
        path.rmdir()
    except OSError:
        return False
    return True
