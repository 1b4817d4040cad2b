"""Figures of a comparison: one panel per model, all with the same axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.reporting.figures.front import draw_middle_front
from argo_ml.reporting.figures.style import (
    legend_below,
    new_figure,
    price_axis,
    save,
    styled,
    wrapped,
)
from argo_ml.reporting.figures.sweep import draw_accuracy, draw_retrievals
from argo_ml.results.naming import told_apart
from argo_ml.results.records import Results
from argo_ml.results.unit import unit_of

PANEL_WIDTH = 4.2
"""Inches."""
MOST_TICKS = 6
"""Of a panel."""


def draw_models(models: Sequence[str], sweeps: Sequence[Results], folder: Path) -> None:
    """Draw every figure into ``folder``, as PNG and as SVG."""
    with styled():
        for name, (draw, label) in PANELS.items():
            save(_panels(models, sweeps, draw, label), folder, name)


def _panels(
    models: Sequence[str],
    sweeps: Sequence[Results],
    draw: Callable[[Axes, Results], None],
    label: str,
) -> Figure:
    names = told_apart(models)
    figure = new_figure(width=max(6.4, PANEL_WIDTH * len(models)))
    panels = figure.subplots(1, len(models), sharex=True, sharey=True, squeeze=False)[0]
    for axes, model, results in zip(panels, models, sweeps, strict=True):
        draw(axes, results)
        axes.set_title(wrapped(names[model], PANEL_WIDTH))
    panels[0].set_ylabel(label)
    legend_below(figure)
    return figure


def _accuracy(axes: Axes, results: Results) -> None:
    draw_accuracy(axes, results)
    price_axis(axes, results.prices, MOST_TICKS, unit_of(results.spec))


def _retrievals(axes: Axes, results: Results) -> None:
    draw_retrievals(axes, results)
    price_axis(axes, results.prices, MOST_TICKS, unit_of(results.spec))


PANELS: Mapping[str, tuple[Callable[[Axes, Results], None], str]] = {
    "models_graph_1a": (_accuracy, "accuracy (share of questions)"),
    "models_graph_1b": (_retrievals, "retrievals per question"),
    "models_front": (draw_middle_front, "accuracy (share of questions)"),
}
"""File name without suffix -> what draws a panel, and the label of its vertical axis."""
