"""Journals of finished shards that stay in the cache folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from argo_ml.config import DoctorSpec
from argo_ml.devices.base import MB
from argo_ml.doctor.check import Check, Status, ok, refused, warning
from argo_ml.doctor.leftovers import REPAIR
from argo_ml.errors import ArgoError
from argo_ml.sweep.journal import journals_folder, remove_journal
from argo_ml.tracking.deleted import is_deleted
from argo_ml.tracking.runs import KIND, STAGE, Run, store_of_runs
from argo_ml.tracking.stores import default_uri, is_yet_to_be_made

_RUN_ID = re.compile(r"[0-9a-f]{32}")


def check_journals(spec: DoctorSpec) -> Check:
    """Those of runs that nobody goes on with are removed where ``repair`` is set."""
    folder = journals_folder(spec)
    journals = [path for path in folder.glob("*") if _RUN_ID.fullmatch(path.name)]
    if not journals:
        return ok("journals", "no finished shards of an unfinished run")
    try:
        needless = _needless(spec, journals)
    except ArgoError as error:
        return refused("journals", error)
    others = f"{_counted(set(journals) - set(needless))} of unfinished runs, or of another store"
    if not needless:
        return ok("journals", others)
    if not spec.repair:
        ended = f"{_counted(needless)} of runs that nobody goes on with"
        return warning("journals", f"{ended}; {others}", REPAIR)
    n_removed = sum(map(remove_journal, needless))
    status = Status.OK if n_removed == len(needless) else Status.WARNING
    return Check("journals", status, f"{n_removed} of {len(needless)} removed; {others}")


def _needless(spec: DoctorSpec, journals: Iterable[Path]) -> list[Path]:
    """Those that nobody goes on with, as far as the store knows their runs."""
    if is_yet_to_be_made(spec.tracking_uri or default_uri()):
        return []
    tracking = store_of_runs(spec.tracking_uri)
    return [journal for journal in journals if _is_over(tracking.get_or_none(journal.name))]


def _is_over(run: Run | None) -> bool:
    """Whether it has finished, was deleted, or has ended as what is run anew from the call cache: a
    cell alone, or a stage of an advice."""
    if run is None:
        return False
    is_run_anew = run.data.tags.get(KIND) == "cell" or STAGE in run.data.tags
    has_ended = run.info.status == "FINISHED" or (is_run_anew and run.info.status != "RUNNING")
    return has_ended or is_deleted(run)


def _counted(journals: Iterable[Path]) -> str:
    listed = list(journals)
    return f"{len(listed)} ({sum(map(_n_bytes, listed)) / MB:.0f} MB)"


def _n_bytes(journal: Path) -> int:
    """0 for one that its sweep, which has just ended, is removing."""
    try:
        return sum(file.stat().st_size for file in journal.glob("shard-*.json"))
    except FileNotFoundError:
        return 0
