"""Draws figures, importing Matplotlib only then: it takes a second, and most commands draw none."""

from __future__ import annotations

from pathlib import Path

from argo_ml.evaluation.record import Evaluation
from argo_ml.results.records import CellResult, Results
from argo_ml.results.unit import Unit


def draw_sweep(evaluation: Evaluation, results: Results, folder: Path) -> None:
    """Every figure of a sweep and of its evaluation."""
    from argo_ml.reporting import figures

    figures.redraw(results, folder)
    figures.draw_evaluation(evaluation, results, folder, drawn=figures.SWEEP_FIGURES)


def draw_evaluation(evaluation: Evaluation, results: Results, folder: Path) -> None:
    """The figures of the report alone."""
    from argo_ml.reporting import figures

    figures.draw_evaluation(evaluation, results, folder)


def draw_cell(result: CellResult, unit: Unit, folder: Path) -> None:
    from argo_ml.reporting import figures

    figures.save_cell_figures(result, unit, folder)
