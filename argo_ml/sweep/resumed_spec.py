"""The spec that an interrupted sweep, advice or comparison goes on with: its own, and what the
command may change."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from argo_ml.addresses import BLOTTED
from argo_ml.config import (
    LATEST,
    AdviseSpec,
    BudgetFields,
    CompareSpec,
    ExecutorFields,
    SweepSpec,
    build,
    is_operational,
    shown_value,
)
from argo_ml.errors import ConfigError, MissingArtifactError, TrackingError
from argo_ml.models.precision import with_precision
from argo_ml.results.artifacts import SPEC
from argo_ml.sweep.parent_run import ANEW, load_parameters, stored_values
from argo_ml.tracking.owners import another_alive
from argo_ml.tracking.runs import COMMAND, Run, TrackedRun, Tracking, connect

LAID_DOWN = frozenset({"shard_size"})
"""What finished shards were made by, although it changes no number."""
RESOLVED = frozenset({("answering", "likelihood"), ("min_similarity", None), ("precision", "auto")})
"""What was asked for, in whose place the model, the corpus or the processor may have put something
else."""
SOURCES = ("questions", "documents", "outcomes", "calibration_outcomes", "calibration")
"""Operational parameters that say where contents are."""
Resumable = TypeVar("Resumable", SweepSpec, AdviseSpec, CompareSpec)
logger = logging.getLogger(__name__)


def resolve_latest(command: Resumable, kind: str) -> Resumable:
    """``command`` with the id of the newest run of the same command in the place of `LATEST`; where
    there is none, it has finished, or a process here is at work on it, without: it begins one.

    Raises `TrackingError` where nothing says from here whether that run can be gone on with.
    """
    if command.resume != LATEST:
        return command
    home = connect(command.tracking_uri, command.experiment)
    for run in home.begun(kind, _digests(command)):
        run_id = run.info.run_id
        if over := _why_over(run):
            logger.info("resume=latest: %s %s %s", kind, run_id, over)
            break
        if _has_parameters(run, home):
            logger.info("resume=latest: going on with %s %s", kind, run_id)
            return command.model_copy(update={"resume": run_id})
    logger.info("resume=latest: nothing of this command is to be gone on with; beginning one")
    return with_precision(command.model_copy(update={"resume": ""}))


def _why_over(run: Run) -> str:
    """Why a run is not to be gone on with; empty for one that is."""
    if run.info.status == "FINISHED":
        return "has finished"
    other = another_alive(run)
    return f"is being run by {other}" if other else ""


def _has_parameters(run: Run, home: Tracking) -> bool:
    """False for one that was killed before it stored them, which cannot be gone on with."""
    try:
        return TrackedRun(home.client, run.info.run_id).read_artifact(SPEC) is not None
    except TrackingError as error:
        raise TrackingError(
            f"resume=latest: {error}; run this where it can be read, or {ANEW}"
        ) from None


def command_tag(spec: Resumable) -> dict[str, str]:
    """The tag by which `resolve_latest` finds what the command begins."""
    fields = type(spec).model_fields
    values = {
        name: value
        for name, value in stored_values(spec).items()
        if not is_operational(fields[name]) or name in LAID_DOWN or name in SOURCES
    }
    content = json.dumps(values, sort_keys=True)
    return {COMMAND: hashlib.sha256(content.encode()).hexdigest()[:16]}


def _digests(command: Resumable) -> set[str]:
    """Where it leaves the precision open, `with_precision` may have settled that of its run."""
    same = [command]
    if command.precision == "auto":
        same.append(command.model_copy(update={"precision": "bfloat16"}))
    return {command_tag(spec)[COMMAND] for spec in same}


def resumed_spec(command: Resumable, home: Tracking) -> Resumable:
    """The spec that it was begun with, with the operational parameters that ``command`` was given.

    A budget is spent once: what is given now is all there is.
    Raises `ConfigError` that names what else it was given and the sweep was begun with otherwise.
    """
    spec_type = type(command)
    stored_values = _stored_values(command.resume, home)
    _check_whole(command, stored_values)
    stored = build(spec_type, stored_values)
    _check_same(command, stored, home)
    given = {
        name: getattr(command, name)
        for name in command.model_fields_set
        if is_operational(spec_type.model_fields[name])
    }
    if given.keys() & ExecutorFields.model_fields.keys():
        # They make sense together only: workers of another executor mean nothing here.
        given |= {name: getattr(command, name) for name in ExecutorFields.model_fields}
    where = {"tracking_uri": command.tracking_uri, "resume": command.resume}
    values = {
        name: getattr(stored, name)
        for name in stored.model_fields_set
        if name not in BudgetFields.model_fields
    }
    return build(spec_type, {**values, **_moved(stored), **given, **where})


def _stored_values(run_id: str, home: Tracking) -> dict[str, Any]:
    try:
        return load_parameters(home, run_id)
    except MissingArtifactError as error:
        raise TrackingError(
            f"resume={run_id}: it ended before it stored its parameters, so nothing is "
            f"lost; start it again without resume ({error})"
        ) from None


def _check_whole(command: Resumable, stored: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for a value that was kept without a secret and is not given again.

    Passwords of URLs are asked for where they are needed.
    """
    for name, value in stored.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        if BLOTTED not in text or name in {*command.model_fields_set, "tracking_uri"}:
            continue
        field = type(command).model_fields.get(name)
        may_change = field is not None and is_operational(field)
        way = f"give {name} again" if may_change else "start anew without resume"
        raise ConfigError(
            f"resume={command.resume}: {name}={text} was kept without a secret; {way}"
        )


def _check_same(command: Resumable, stored: Resumable, home: Tracking) -> None:
    different = list(_differences(command, stored))
    if command.experiment and command.experiment != home.experiment_name:
        different.append(f"experiment={command.experiment} (it is in {home.experiment_name})")
    if different:
        raise ConfigError(
            f"resume={command.resume}: {', '.join(different)} cannot change in what has begun; "
            "leave it out, or start anew without resume"
        )


def _differences(command: Resumable, stored: Resumable) -> Iterator[str]:
    for name in sorted(command.model_fields_set):
        field = type(command).model_fields[name]
        may_change = is_operational(field) and name not in LAID_DOWN
        before, now = getattr(stored, name), getattr(command, name)
        if before != now and not may_change and (name, now) not in RESOLVED:
            yield f"{name}={shown_value(now)} (it was {shown_value(before)})"


def _moved(stored: Resumable) -> Mapping[str, str]:
    """Sources that are gone from their place but lie in this folder by their old name.

    Whether they are the same is known by their digest once they are open.
    """
    moved = {}
    for name in (name for name in SOURCES if name in type(stored).model_fields):
        path = Path(getattr(stored, name)).expanduser()
        if getattr(stored, name) and not path.exists() and Path(path.name).exists():
            moved[name] = str(Path(path.name).resolve())
    return moved
