"""Is everything there: the run, its cells, its questions, its graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image, UnidentifiedImageError

from argo_ml.config import SweepSpec
from argo_ml.errors import ArgoError, DataError
from argo_ml.evaluation.stopping import replayed_stopping
from argo_ml.reporting.figures import SWEEP_FIGURES
from argo_ml.results.artifacts import FIGURES, RESULTS, cell_name
from argo_ml.results.question_rows import question_ids, row_values
from argo_ml.results.records import CellResult, Results
from argo_ml.sweep.cells import cell_id
from argo_ml.sweep.record import SweepRecord
from argo_ml.tracking import runs
from argo_ml.verification.verdict import Verdict, judged

_SVG = "{http://www.w3.org/2000/svg}"
_MIN_PATHS = 10
_MIN_PIXELS = 200
OTHER_STEPS = (
    "gains=measured: made by an earlier version, which planned with the measured gains and "
    "advanced by the given ones; sweep again"
)
FLOORS = ("majority_position", "longest_choice", "random")


def check_finished(record: SweepRecord) -> Verdict:
    status = record.run.info.status
    problems = [] if status == "FINISHED" else [f"status is {status}"]
    return judged("sweep finished", problems, f"run {record.run.info.run_id} is FINISHED")


def check_cells(record: SweepRecord, spec: SweepSpec, results: Results) -> Verdict:
    """Every cell of the grid has one FINISHED child, and results.json names that child."""
    wanted = {
        cell_id(cell, record.digests): cell_name(cell.strategy, cell.retrieval_cost)
        for cell in spec.cells()
    }
    by_cell = record.children_by_cell()
    if spec.steps_gain_as_measured and by_cell and not by_cell.keys() & wanted.keys():
        return judged("cells", [OTHER_STEPS], "")
    problems = []
    for identity, name in wanted.items():
        present = by_cell.get(identity, [])
        if len(present) != 1:
            problems.append(f"{name} ({identity}) has {len(present)} runs")
        problems += [
            f"{name} is {run.info.status}" for run in present if run.info.status != "FINISHED"
        ]
        problems += [
            f"{name} names another sweep"
            for run in present
            if run.data.tags.get(runs.SWEEP_ID) != record.run.info.run_id
        ]
    unknown = [identity or "one without id" for identity in by_cell if identity not in wanted]
    problems += [f"child {identity} is no cell of the spec" for identity in unknown]
    problems += _wrong_cells(record, results, list(wanted))
    return judged("cells", problems, f"{len(wanted)} cells, each once and FINISHED")


def _wrong_cells(record: SweepRecord, results: Results, wanted: list[str]) -> list[str]:
    problems = []
    if [cell.cell_id for cell in results.cells] != wanted:
        problems.append(f"{RESULTS} has other cells than the spec, or another order")
    for cell in results.cells:
        child = record.child_of(cell)
        if child is None or child.data.tags.get(runs.CELL_ID) != cell.cell_id:
            problems.append(f"{RESULTS}: run {cell.run_id} is not that of {cell.name}")
    return problems


def check_results(record: SweepRecord, spec: SweepSpec, results: Results) -> Verdict:
    """results.json belongs to this sweep, and every cell answered the same questions once."""
    problems = []
    if results.sweep_id != record.run.info.run_id:
        problems.append(f"sweep_id is {results.sweep_id}")
    if dict(results.digests) != record.digests:
        problems.append("digests differ from the run's params")
    if results.spec.get("mu") != spec.mu:
        problems.append(f"mu is {results.spec.get('mu')}, the stored spec has {spec.mu}")
    if results.strategies != spec.strategies or results.prices != tuple(sorted(spec.prices)):
        problems.append("strategies or prices differ from the stored spec")
    problems += [f"floor {name} is missing" for name in _missing_floors(results)]
    problems += [text for cell in results.cells for text in _wrong_questions(cell, spec, results)]
    n_questions = len(results.cells[0].questions) if results.cells else 0
    asked = spec.question_limit
    note = _fewer(results, n_questions, asked)
    return judged(RESULTS, problems, f"complete: {n_questions} questions per cell{note}")


def _fewer(results: Results, n_questions: int, asked: int) -> str:
    """Why a cell has fewer questions than were asked for."""
    if results.stopping is not None and n_questions < results.stopping.n_available:
        return f" (it stopped once decided; there were {results.stopping.n_available})"
    return "" if n_questions == asked else f" ({asked} were asked for; the source has no more)"


def check_stopping(spec: SweepSpec, results: Results) -> Verdict:
    """Where a sweep stopped follows from the answers to its questions and from nothing else."""
    problems = []
    made_anew = replayed_stopping(spec, results)
    if (results.stopping is None) != (spec.until == "all"):
        problems.append(f"until={spec.until}, but results.json says otherwise")
    elif results.stopping is not None and made_anew != results.stopping:
        n_asked = made_anew.n_asked if made_anew else 0
        problems.append(f"the rows say to stop after {n_asked}, or tell other signs")
    text = "as the rows say" if results.stopping else "every question was asked for"
    return judged("stopping", problems, text)


def _missing_floors(results: Results) -> list[str]:
    """Only choices can be guessed: open questions have no floors."""
    has_choices = any(
        choice is not None
        for cell in results.cells
        for (choice,) in row_values(cell.questions, "choice")
    )
    return [name for name in FLOORS if has_choices and name not in results.floors]


def _wrong_questions(cell: CellResult, spec: SweepSpec, results: Results) -> list[str]:
    ids = question_ids(cell.questions)
    problems = []
    if not ids or len(ids) > spec.question_limit:
        problems.append(f"{cell.name} has {len(ids)} questions of {spec.question_limit}")
    if len(set(ids)) != len(ids):
        problems.append(f"{cell.name} has a question twice")
    if ids != question_ids(results.cells[0].questions):
        problems.append(f"{cell.name} has other questions than {results.cells[0].name}")
    return problems


def check_graphs(record: SweepRecord) -> Verdict:
    problems = []
    for name in SWEEP_FIGURES:
        for suffix, look in _READERS.items():
            artifact = f"{FIGURES}/{name}.{suffix}"
            try:
                look(record.artifact(artifact))
            except ArgoError as error:
                problems.append(f"{artifact}: {error}")
    names = ", ".join(SWEEP_FIGURES)
    return judged("graphs", problems, f"{names}: each as PNG and SVG, each an image")


def _look_at_png(path: Path) -> None:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"not an image ({error})".replace(str(path), path.name)) from None
    if min(pixels.shape) < _MIN_PIXELS or pixels.min() == pixels.max():
        raise DataError(f"an empty image of {pixels.shape[1]} x {pixels.shape[0]} pixels")


def _look_at_svg(path: Path) -> None:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DataError(f"not an SVG image ({error})") from None
    n_paths = sum(1 for _ in root.iter(f"{_SVG}path"))
    if root.tag != f"{_SVG}svg" or n_paths < _MIN_PATHS:
        raise DataError(f"an SVG image of {n_paths} paths")


_READERS: dict[str, Callable[[Path], None]] = {"png": _look_at_png, "svg": _look_at_svg}
