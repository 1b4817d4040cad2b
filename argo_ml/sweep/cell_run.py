"""The MLflow run of one cell: parameters at the start, curves as it goes, artifacts at the end."""

from __future__ import annotations

import json
import tempfile
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from argo_ml.config import CellSpec, ExperimentSpec, identity_fields
from argo_ml.engine.shards import make_shards
from argo_ml.errors import ConfigError
from argo_ml.escaping import markdown
from argo_ml.evaluation.examples import gold_texts
from argo_ml.policies.base import explained
from argo_ml.reporting.drawing import draw_cell
from argo_ml.results.artifacts import DETAILS, FIGURES, OUTCOMES_TABLE, TABLE_ROWS
from argo_ml.results.metrics import CURVES, CellTotals, is_compared, retrieval_calls
from argo_ml.results.naming import asked_questions
from argo_ml.results.records import CellResult, PolicyTable, QuestionResult
from argo_ml.results.row_columns import columns_in_memory
from argo_ml.results.row_files import cell_trajectories
from argo_ml.results.unit import Unit, unit_of_money
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import ExperimentContext
from argo_ml.sweep.parent_run import ANEW
from argo_ml.tracking import runs
from argo_ml.tracking.input_datasets import InputDataset
from argo_ml.tracking.names import spec_params
from argo_ml.tracking.runs import TrackedRun, Tracking

MOST_POINTS = 200
"""Points of a curve: with more shards than that, only every so many-th is one."""


def is_curve_point(n_taken: int, n_shards: int) -> bool:
    """Whether the curves have a point after so many of all shards; they have one at the end."""
    return n_taken * MOST_POINTS // n_shards > (n_taken - 1) * MOST_POINTS // n_shards


class CellRun:
    """A cell and its run; a ``finished`` run is left untouched: its numbers are stored already.

    With one shard there is no course to draw: all is logged at step 0, which MLflow shows as bars.
    Figures are drawn where the cell is ``alone``, those of a sweep's only when they are wanted
    (`store_cell_figures`), since dozens of cells take longer to draw than to know. The command of a
    cell alone stores more on its run, and ends it.
    """

    def __init__(
        self,
        cell: Cell,
        run: TrackedRun,
        n_shards: int = 1,
        finished: bool = False,
        alone: bool = False,
    ) -> None:
        self.cell = cell
        self.run = run
        self.finished = finished
        self._n_shards = n_shards
        self._n_taken = 0
        self._totals = CellTotals(cell.spec.mu, cell.table)
        self._points: deque[tuple[int, Mapping[str, float]]] = deque()
        self._alone = alone

    def start(self, digests: Mapping[str, str], inputs: Sequence[InputDataset]) -> None:
        """What is there already, as on a run that was killed before it had all, is left alone."""
        self.run.log(params=spec_params(cell_params(self.cell.spec, self.cell.table, digests)))
        self.run.log_inputs(inputs)

    def add(self, rows: Sequence[QuestionResult]) -> None:
        """Take the rows of the next shard in order: into the sums, and a point of the curves."""
        self._totals.add(columns_in_memory(rows))
        self._n_taken += 1
        if is_curve_point(self._n_taken, self._n_shards):
            self._points.append((self._totals.n_questions, self._totals.curves()))

    def end_curves(self) -> None:
        """Give the curves their last point, where that is no point of all shards'."""
        if self._n_taken and not is_curve_point(self._n_taken, self._n_shards):
            self._points.append((self._totals.n_questions, self._totals.curves()))

    def log_progress(self) -> None:
        """Log the points of the curves that are not logged yet, in one request.

        More may come meanwhile, from another thread. What the store does not take is logged the
        next time.
        """
        n_points = len(self._points)
        if self.finished or not n_points:
            return
        points = dict(self._points[index] for index in range(n_points))
        last = max(points)
        metrics = points.pop(last)
        if self._n_shards == 1:
            self.run.log(metrics=metrics, step=0, curves={})
        else:
            self.run.log(metrics=metrics, step=last, curves=points)
        for _ in range(n_points):
            self._points.popleft()

    def finish(self, result: CellResult, folder: Path, usage: Mapping[str, float]) -> None:
        """Store the artifacts, among them the trajectories already in ``folder``, and end.

        ``usage`` is the readings of the devices; as they differ from run to run, they are kept with
        the run alone and in no result.
        """
        if self.finished:
            return
        (folder / DETAILS).write_text(json.dumps({**result.metrics, **usage}, indent=1))
        at_the_end = {
            name: value
            for name, value in result.metrics.items()
            if is_compared(name) and name not in CURVES
        }
        if self._alone:
            draw_cell(result, unit_of_money(self.cell.spec.money), folder / FIGURES)
        store_outcomes(self.run, result, folder, at_the_end)
        if not self._alone:
            self.run.end()
        self.finished = True

    def result(self, questions: Sequence[QuestionResult]) -> CellResult:
        """The result with its rows, which are those that were added."""
        return CellResult(
            cell_id=self.cell.id,
            run_id=self.run.run_id,
            strategy=self.cell.spec.strategy,
            retrieval_cost=self.cell.spec.retrieval_cost,
            metrics=self._totals.metrics(),
            policy=self.cell.table,
            questions=questions,
        )


def cell_params(
    spec: CellSpec, table: PolicyTable, digests: Mapping[str, str]
) -> dict[str, object]:
    """What the run of a cell has as params, by the names of fields; its price in a unit of the
    user's own as `price`."""
    return {
        **identity_fields(spec),
        **digests,
        "theta_cont": table.theta_cont,
        "theta_star": table.theta_star,
        "max_new_tokens": spec.generation_limit,
        "n_questions": spec.question_limit,
        "price": unit_of_money(spec.money).own_price(spec.retrieval_cost),
    }


def curve_steps(n_asked: int, shard_size: int, n_available: int | None = None) -> list[int]:
    """The steps of every curve of a cell: questions done at each of its points, 0 where there is
    one shard.

    ``n_available`` is the number of questions where fewer were asked.
    """
    n_questions = n_available or n_asked
    ends = [*range(shard_size, n_questions, shard_size), n_questions]
    if len(ends) == 1:
        return [0]
    points = {end for index, end in enumerate(ends, 1) if is_curve_point(index, len(ends))}
    return sorted({end for end in points if end < n_asked} | {n_asked})


def check_same_cells(tracking: Tracking, sweep_id: str, cells: Sequence[Cell]) -> None:
    """Raises `ConfigError` where an interrupted sweep has begun cells that are none of these."""
    begun = {run.data.tags.get(runs.CELL_ID) for run in tracking.children(sweep_id)}
    if others := begun - {cell.id for cell in cells}:
        raise ConfigError(
            f"resume={sweep_id}: it was begun by a version that runs {len(others)} of its cells "
            f"otherwise, and calls that were made are in the call cache; {ANEW}"
        )


def open_cell_runs(
    cells: Sequence[Cell],
    context: ExperimentContext[ExperimentSpec],
    tracking: Tracking,
    parent_run: TrackedRun,
) -> list[CellRun]:
    """Make a run for each cell, or reopen the one that a resumed parent has already."""
    present = {run.data.tags.get(runs.CELL_ID): run for run in tracking.children(parent_run.run_id)}
    n_shards = len(make_shards(context.questions.questions, context.spec.shard_size))
    cell_runs = []
    for cell in cells:
        stored = present.get(cell.id)
        if stored is None:
            tags = cell_tags(cell, parent_run.run_id)
            child = tracking.create_child(parent_run, cell.name, tags)
            cell_run = CellRun(cell, child, n_shards)
            cell_run.start(context.digests, context.inputs)
        else:
            tracked = TrackedRun(tracking.client, stored.info.run_id, stored)
            cell_run = CellRun(cell, tracked, n_shards, finished=stored.info.status == "FINISHED")
            if not cell_run.finished:
                tracked.reopen()
                cell_run.start(context.digests, context.inputs)
        cell_runs.append(cell_run)
    return cell_runs


def store_outcomes(
    run: TrackedRun, result: CellResult, folder: Path, metrics: Mapping[str, float] | None = None
) -> None:
    """Log ``folder`` with a cell's table of outcomes, and ``metrics``."""
    table = _outcomes_table(result, cell_trajectories(folder))
    (folder / OUTCOMES_TABLE).write_text(json.dumps(table), encoding="utf-8")
    run.log_folder(folder)
    run.log(metrics=metrics, tags=runs.tables_tag(OUTCOMES_TABLE))


def store_cell_figures(run: TrackedRun, result: CellResult, unit: Unit) -> None:
    """Draw the figures of a cell and log them."""
    with tempfile.TemporaryDirectory() as folder:
        draw_cell(result, unit, Path(folder) / FIGURES)
        run.log_folder(Path(folder))


def cell_tags(cell: Cell, sweep_id: str = "") -> dict[str, str]:
    spec = cell.spec
    asked = asked_questions(spec.questions, spec.difficulty, spec.dataset)
    note = f"`{spec.strategy}` at {_prices(spec)} on {markdown(asked)} with {markdown(spec.model)}."
    if rule := explained(cell.policy):
        note += f"\n\nIn words: {markdown(rule)}."
    tags = {runs.KIND: "cell", runs.CELL_ID: cell.id, runs.NOTE: note}
    return {**tags, runs.SWEEP_ID: sweep_id} if sweep_id else tags


def _prices(spec: CellSpec) -> str:
    unit = unit_of_money(spec.money)
    if unit.is_own:
        return markdown(unit.at_price(spec.retrieval_cost))
    return f"retrieval cost {spec.retrieval_cost:g} (reasoning step {spec.reason_cost:g})"


def _outcomes_table(
    result: CellResult, trajectories: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Columns and rows in the table format that `mlflow.load_table` reads and the UI shows.

    What a person reads stands first: the question, the right answer and the one given. A browser
    holds all of it in memory, so that there are at most `TABLE_ROWS`.
    """
    lines = {line["question_id"]: line for line in islice(trajectories, TABLE_ROWS)}
    shown = islice(result.questions, TABLE_ROWS)
    rows = [_outcome(row, result.retrieval_cost, lines) for row in shown]
    return {"columns": list(rows[0]) if rows else [], "data": [list(row.values()) for row in rows]}


def _outcome(
    row: QuestionResult, price: float, lines: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    line = lines.get(row.question_id)
    first = {
        "question": "" if line is None else line["question"],
        "gold": "" if line is None else " | ".join(gold_texts(line)),
        "answer": row.answer,
        "correct": row.correct,
        "retrievals": retrieval_calls(row),
        "retrieval_cost": price,
    }
    values = row.model_dump(mode="json")
    values["actions"] = " ".join(values["actions"])
    values["decisions"] = json.dumps(values["decisions"])
    return {**first, **{name: value for name, value in values.items() if name not in first}}
