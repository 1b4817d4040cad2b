"""Graph 1.A, Graph 1.B, the accuracy-cost front and utility of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation.contrasts import contrasts_of
from argo_ml.evaluation.judged_cells import judge_cells
from argo_ml.evaluation.record import Contrast
from argo_ml.policies.argo import ARGO
from argo_ml.reporting import captions
from argo_ml.reporting.figures.description import EvaluationFigure
from argo_ml.reporting.figures.front import draw_front
from argo_ml.reporting.figures.strategy_styles import strategy_styles
from argo_ml.reporting.figures.style import (
    LineStyle,
    at_price,
    cost_label,
    dodged,
    draw_intervals,
    legend_below,
    new_figure,
    price_axis,
    save,
    styled,
    wrapped,
)
from argo_ml.results.metrics import withholds
from argo_ml.results.naming import model_name, source_name
from argo_ml.results.question_rows import action_counts
from argo_ml.results.records import Results
from argo_ml.results.row_files import check_has_rows
from argo_ml.results.unit import WITHHELD, unit_of
from argo_ml.statistics.intervals import Estimate
from argo_ml.statistics.resampling import resample
from argo_ml.types import Action

_FLOORS: Mapping[str, tuple[str, Any]] = {
    "majority_position": ("majority position", (0, (1, 1.2))),
    "longest_choice": ("longest choice", (0, (1, 4))),
}
MOST_PANELS = 6
PANEL_COLUMNS = 3


def redraw(results: Results, folder: Path) -> None:
    """Draw every figure of a sweep into ``folder``, each as PNG and as SVG.

    ``Results.model_validate_json`` of a stored ``results.json`` is all it needs, of a large sweep
    with the rows that `with_rows` reads. Raises `DataError` without them.
    """
    check_has_rows(results)
    with styled():
        for name, draw in SWEEP_FIGURES.items():
            save(draw(results), folder, name)


def _graph_1a(results: Results) -> Figure:
    figure = new_figure(_width(results))
    axes = figure.add_subplot()
    draw_accuracy(axes, results)
    axes.set_ylabel("accuracy (share of questions)")
    price_axis(axes, results.prices, unit=unit_of(results.spec))
    _title(axes, results, "Graph 1.A: accuracy", "bars: Wilson 95 %, strategies side by side")
    legend_below(figure)
    return figure


def draw_accuracy(axes: Axes, results: Results) -> None:
    """Every strategy's accuracy by price, and what needs no model."""
    _draw_strategies(axes, results, _accuracies(results))
    for name, (label, line) in _FLOORS.items():
        if results.floors.get(name):
            axes.axhline(
                results.floors[name],
                color="#444444",
                linestyle=line,
                linewidth=1.0,
                label=label,
                zorder=1,
            )
    axes.set_ylim(-0.02, 1.02)


def _graph_1b(results: Results) -> Figure:
    figure = new_figure(_width(results))
    axes = figure.add_subplot()
    draw_retrievals(axes, results)
    axes.set_ylabel("retrievals per question")
    price_axis(axes, results.prices, unit=unit_of(results.spec))
    _title(
        axes, results, "Graph 1.B: retrieval calls", "bars: bootstrap 95 %, strategies side by side"
    )
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
    figure = new_figure(_width(results), height=6.4 if contrasts else 4.6)
    if contrasts:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_contrasts(below, contrasts, strategy_styles(results.strategies))
        price_axis(below, results.prices, unit=unit_of(results.spec))
    else:
        axes = figure.add_subplot()
        price_axis(axes, results.prices, unit=unit_of(results.spec))
    _draw_strategies(axes, results, [cell.utility.estimate for cell in cells])
    axes.set_ylabel(f"utility (accuracy - {mu:g} x cost)")
    _title(axes, results, "Utility", "bars: bootstrap 95 %")
    legend_below(figure)
    return figure


def _front(results: Results) -> Figure:
    """A panel per price, of many prices some."""
    prices, unit = _some(results.prices), unit_of(results.spec)
    n_columns = min(PANEL_COLUMNS, len(prices))
    n_lines = -(-len(prices) // n_columns)
    figure = new_figure(max(6.4, 3.2 * n_columns), 1.5 + 2.8 * n_lines)
    grid = list(figure.subplots(n_lines, n_columns, sharey=True, squeeze=False).flat)
    for axes, price in zip(grid, prices, strict=False):
        draw_front(axes, results, price)
        axes.set_title(at_price(price, unit))
        axes.set_xlabel(cost_label(unit))
    for unused in grid[len(prices) :]:
        unused.remove()
    figure.supylabel("accuracy (share of questions)", fontsize=10)
    looks = " + probe_cost x looks" if results.spec.get("probe_cost") else ""
    note = f"cost is $c_r$ x retrievals + $c_p$ x reasoning steps{looks}"
    if unit.is_own:
        withheld = f", and {WITHHELD}" if withholds(results) else ""
        note = f"cost is that of retrievals, tokens and seconds{withheld}"
    figure.suptitle(
        _heading(results, "Accuracy against cost", note, figure.get_figwidth()),
        x=0.01,
        ha="left",
        fontsize=10,
    )
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
    """A line with bars for every strategy, side by side; ``estimates`` are of the cells, in their
    order."""
    by_cell = {
        (cell.strategy, cell.retrieval_cost): estimate
        for cell, estimate in zip(results.cells, estimates, strict=True)
    }
    for index, (strategy, style) in enumerate(strategy_styles(results.strategies).items()):
        costs = [cell.retrieval_cost for cell in results.row(strategy)]
        own = [by_cell[strategy, cost] for cost in costs]
        prices = dodged(results.prices, costs, index, len(results.strategies))
        means = [estimate.mean for estimate in own]
        axes.plot(prices, means, label=strategy, **style.line_options())
        draw_intervals(axes, prices, own, style)


def _some(prices: Sequence[float]) -> list[float]:
    """As many prices as there are panels for, the first and the last among them."""
    n_panels = min(MOST_PANELS, len(prices))
    return [prices[round(index)] for index in np.linspace(0, len(prices) - 1, n_panels)]


def _width(results: Results) -> float:
    """Inches: bars side by side need more room the more strategies and prices there are."""
    n_bars = len(results.strategies) * len(results.prices)
    return min(11.0, max(7.2, 0.12 * n_bars))


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
        action_counts(cell.questions, Action.RETRIEVE).astype(float) for cell in results.cells
    ]
    return [column.estimate for column in resample(counts)]


def _title(axes: Axes, results: Results, what: str, note: str) -> None:
    axes.set_title(_heading(results, what, note, _width(results)))


def _heading(results: Results, what: str, note: str, inches: float) -> str:
    n_questions = max(len(cell.questions) for cell in results.cells)
    source = f"{source_name(results)}, {model_name(results.spec)}, n = {n_questions} questions"
    return wrapped(f"{what}\n{source}\n{note}", inches)


GRAPH_1A = EvaluationFigure(
    captions.GRAPH_1A,
    draw=lambda evaluation, results: _graph_1a(results),
    has_heading=True,
)
GRAPH_1B = EvaluationFigure(
    captions.GRAPH_1B,
    draw=lambda evaluation, results: _graph_1b(results),
    has_heading=True,
)
