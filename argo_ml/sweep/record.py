"""What tracking has stored of a sweep."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config import SweepSpec, build
from argo_ml.errors import ConfigError, DataError
from argo_ml.results.artifacts import (
    PASSAGES,
    RESULTS,
    SPEC,
    TRAJECTORIES,
    TRAJECTORIES_TABLE,
)
from argo_ml.results.records import CellResult, Results, RowsOnDisk
from argo_ml.results.row_files import read_trajectories, with_rows
from argo_ml.results.stored import (
    computing_with,
    stored_lines,
    stored_parameters,
    stored_record,
)
from argo_ml.tracking import runs
from argo_ml.tracking.environment import USER
from argo_ml.tracking.names import logged_params
from argo_ml.tracking.runs import CELL_ID, Run, Tracking, connect, store_of_runs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """The sweep's run, its children, and its artifacts; files are fetched into ``folder``."""

    tracking: Tracking
    run: Run
    children: tuple[Run, ...]
    folder: Path

    @property
    def run_id(self) -> str:
        return str(self.run.info.run_id)

    @property
    def kind(self) -> str:
        return str(self.run.data.tags.get(runs.KIND, ""))

    @property
    def digests(self) -> dict[str, str]:
        params = logged_params(self.run)
        return {name: value for name, value in params.items() if name.endswith("_digest")}

    def artifact(self, name: str, run_id: str = "") -> Path:
        """A file, fetched the first time. Raises `TrackingError` for one that is not there."""
        kept_by = run_id or self.run_id
        target = self.folder / kept_by / name
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        return self.tracking.download(kept_by, name, target.parent)

    def spec(self) -> SweepSpec:
        """Raises `ArgoError` where the stored spec is none of this version of the package."""
        values = stored_parameters(self.artifact(SPEC), self.run_id)
        try:
            return build(SweepSpec, values)
        except ConfigError as error:
            raise DataError(f"{SPEC} of run {self.run_id}: {error}") from None

    def results(self) -> Results:
        """Raises `ArgoError` where they are missing or incomplete."""
        summary = stored_record(self.artifact(RESULTS), Results, self.run_id)
        return with_rows(summary, self.artifact)

    def passages(self) -> dict[str, Mapping[str, Any]]:
        """The cited passages by id."""
        lines = stored_lines(self.artifact(PASSAGES), self.run_id)
        with computing_with(PASSAGES, self.run_id):
            return {line["id"]: line for line in lines}

    def passage_ids(self) -> set[str]:
        return set(self.passages())

    def trajectories(self, cell: CellResult) -> Iterator[Mapping[str, Any]]:
        if isinstance(cell.questions, RowsOnDisk):
            table = self.artifact(TRAJECTORIES_TABLE, cell.run_id)
            yield from read_trajectories(table, cell.run_id)
        else:
            yield from stored_lines(self.artifact(TRAJECTORIES, cell.run_id), cell.run_id)

    def child_of(self, cell: CellResult) -> Run | None:
        return next((run for run in self.children if run.info.run_id == cell.run_id), None)

    def children_by_cell(self) -> dict[str, list[Run]]:
        by_cell: dict[str, list[Run]] = {}
        for run in self.children:
            by_cell.setdefault(run.data.tags.get(CELL_ID, ""), []).append(run)
        return by_cell


def open_record(
    sweep: str,
    tracking_uri: str,
    experiment: str,
    folder: Path,
    kinds: Sequence[str] = ("sweep",),
) -> SweepRecord:
    """The sweep's record, or that of another of ``kinds``; its artifacts will be fetched into
    ``folder``."""
    tracking, run = find_run(sweep, kinds, tracking_uri, experiment)
    return SweepRecord(tracking, run, tuple(tracking.children(run.info.run_id)), folder)


def find_run(
    run_id: str, kinds: Sequence[str], tracking_uri: str, experiment: str
) -> tuple[Tracking, Run]:
    """The run, of one of ``kinds``; without an id the latest of the first."""
    kind = kinds[0]
    if not run_id:
        tracking = connect(tracking_uri, experiment, create=False)
        latest = tracking.latest_finished(kind)
        if latest is None:
            name = tracking.experiment_name
            raise ConfigError(f"experiment={name}: no finished {kind} there; run one first")
        whose = latest.data.tags.get(USER, "somebody")
        logger.info("%s %s, the latest, by %s", kind, latest.info.run_id, whose)
        return tracking, latest
    anywhere = store_of_runs(tracking_uri)
    run = anywhere.find(run_id)
    stored_kind = run.data.tags.get(runs.KIND, "something else")
    if stored_kind not in kinds:
        raise ConfigError(f"{kind}={run_id}: that run is a {stored_kind}, not a {kind}")
    return Tracking(anywhere.client, run.info.experiment_id, anywhere.uri), run
