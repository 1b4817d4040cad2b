"""The figures of a sweep and of a cell, drawn from their results alone."""

from argo_ml.reporting.figures.cell import save_cell_figures
from argo_ml.reporting.figures.evaluation import EVALUATION_FIGURES, draw_evaluation
from argo_ml.reporting.figures.sweep import SWEEP_FIGURES, redraw

__all__ = [
    "EVALUATION_FIGURES",
    "SWEEP_FIGURES",
    "draw_evaluation",
    "redraw",
    "save_cell_figures",
]
