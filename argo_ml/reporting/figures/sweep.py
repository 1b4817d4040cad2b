"""Graph 1.A, Graph 1.B, the accuracy-cost front and utility of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation.contrasts import contrasts_of
from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.record import Contrast
from argo_ml.policies.argo import ARGO
from argo_ml.reporting.figures.front import draw_front
from argo_ml.reporting.figures.style import (
    LineStyle,
    draw_band,
    legend_below,
    line_styles,
    new_figure,
    price_axis,
    save,
    side_by_side,
    styled,
)
from argo_ml.results.metrics import retrieval_calls
from argo_ml.results.naming import model_name, source_name
from argo_ml.results.records import Results
from argo_ml.statistics.intervals import Estimate
from argo_ml.statistics.resampling import resample

_FLOORS: Mapping[str, tuple[str, str]] = {
    "majority_position": ("majority position", "--"),
    "longest_choice": ("longest choice", ":"),
}


def redraw(results: Results, folder: Path) -> None:
    """Draw every figure of a sweep into ``folder``, each as PNG and as SVG.

    ``Results.model_validate_json`` of a stored ``results.json`` is all it needs.
    """
    with styled():
        for name, draw in SWEEP_FIGURES.items():
            save(draw(results), folder, name)


def _graph_1a(results: Results) -> Figure:
    figure = new_figure()
    axes = figure.add_subplot()
    draw_accuracy(axes, results)
    axes.set_ylabel("accuracy (share of questions)")
    price_axis(axes, results.prices)
    _title(axes, results, "Graph 1.A: accuracy", "bands: Wilson 95 %")
    legend_below(figure)
    return figure


def draw_accuracy(axes: Axes, results: Results) -> None:
    """Every strategy's accuracy by price, and what needs no model."""
    _draw_strategies(axes, results, _accuracies(results))
    for name, (label, line) in _FLOORS.items():
        if results.floors.get(name):
            axes.axhline(
                results.floors[name], color="#777777", linestyle=line, linewidth=1.1, label=label
            )
    axes.set_ylim(-0.02, 1.02)


def _graph_1b(results: Results) -> Figure:
    figure = new_figure()
    axes = figure.add_subplot()
    draw_retrievals(axes, results)
    axes.set_ylabel("retrievals per question")
    price_axis(axes, results.prices)
    _title(axes, results, "Graph 1.B: retrieval calls", "bands: bootstrap 95 %")
    legend_below(figure)
    return figure


def draw_retrievals(axes: Axes, results: Results) -> None:
    """Every strategy's retrievals per question by price."""
    _draw_strategies(axes, results, _retrievals(results))
    axes.set_ylim(bottom=-0.04 * max(axes.get_ylim()[1], 1.0))


def _utility(results: Results) -> Figure:
    mu = float(results.spec["mu"])
    cells = judge_cells(results)
    contrasts = contrasts_of(ARGO, cells)
    figure = new_figure(height=6.4 if contrasts else 4.6)
    if contrasts:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_contrasts(below, contrasts, line_styles(results.strategies))
        price_axis(below, results.prices)
    else:
        axes = figure.add_subplot()
        price_axis(axes, results.prices)
    _draw_strategies(axes, results, [cell.utility.estimate for cell in cells])
    axes.set_ylabel(f"utility (accuracy - {mu:g} x cost)")
    _title(axes, results, "Utility", "bands: bootstrap 95 %")
    legend_below(figure)
    return figure


def _front(results: Results) -> Figure:
    figure = new_figure()
    axes = figure.add_subplot()
    draw_front(axes, results)
    _title(axes, results, "Accuracy against cost", "one point per strategy and price")
    legend_below(figure)
    return figure


SWEEP_FIGURES: Mapping[str, Callable[[Results], Figure]] = {
    "graph_1a": _graph_1a,
    "graph_1b": _graph_1b,
    "front": _front,
    "utility": _utility,
}
"""File name without suffix -> what draws it."""


def _draw_strategies(axes: Axes, results: Results, estimates: Sequence[Estimate]) -> None:
    """A line with a band for every strategy; ``estimates`` are of the cells, in their order."""
    by_cell = {
        (cell.strategy, cell.retrieval_cost): estimate
        for cell, estimate in zip(results.cells, estimates, strict=True)
    }
    for index, (strategy, style) in enumerate(line_styles(results.strategies).items()):
        costs = [cell.retrieval_cost for cell in results.row(strategy)]
        own = [by_cell[strategy, cost] for cost in costs]
        shift = side_by_side(results.prices, index, len(results.strategies))
        prices = [cost + shift for cost in costs]
        means = [estimate.mean for estimate in own]
        axes.plot(prices, means, label=strategy, **style.line_options())
        draw_band(axes, prices, own, style)


def _draw_contrasts(
    axes: Axes, contrasts: Sequence[Contrast], styles_of: Mapping[str, LineStyle]
) -> None:
    axes.axhline(0, color="black", linewidth=0.8)
    for contrast in contrasts:
        style, price = styles_of[contrast.baseline], contrast.retrieval_cost
        utility = contrast.utility
        axes.vlines(price, utility.low, utility.high, color=style.color, linewidth=1.6)
        axes.plot(price, utility.mean, linestyle="none", **style.marker_options())
    axes.margins(y=0.1)
    axes.set_ylabel(f"utility: {ARGO} - best fixed")
    axes.set_title(
        f"{ARGO} minus the best fixed strategy at each price (its marker), paired bootstrap 95 %",
        fontsize=9,
    )


def _accuracies(results: Results) -> list[Estimate]:
    metrics = [cell.metrics for cell in results.cells]
    return [
        Estimate(mean=own["accuracy"], low=own["accuracy_ci_low"], high=own["accuracy_ci_high"])
        for own in metrics
    ]


def _retrievals(results: Results) -> list[Estimate]:
    counts = [
        np.array([retrieval_calls(row) for row in cell.questions], dtype=float)
        for cell in results.cells
    ]
    return [column.estimate for column in resample(counts)]


def _title(axes: Axes, results: Results, what: str, note: str) -> None:
    n_questions = max(len(cell.questions) for cell in results.cells)
    axes.set_title(
        f"{what}\n{source_name(results)}, {model_name(results.spec)}, "
        f"n = {n_questions} questions; {note}"
    )
