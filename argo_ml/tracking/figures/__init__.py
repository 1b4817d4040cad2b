"""The figures of a sweep and of a cell, drawn from their results alone."""

from argo_ml.tracking.figures.cell import save_cell_figures
from argo_ml.tracking.figures.sweep import SWEEP_FIGURES, redraw

__all__ = ["SWEEP_FIGURES", "redraw", "save_cell_figures"]
