"""Graph 1.A, Graph 1.B, the accuracy-cost front and utility of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation.comparison import SUBJECT, Comparison, compare_with_best_baseline, n_actions
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
from argo_ml.results.metrics import utilities
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.intervals import Interval, bootstrap_mean
from argo_ml.types import Action

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
    _draw_strategies(axes, results, lambda cell: cell.metrics["accuracy"], _accuracy_interval)
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
    _draw_strategies(
        axes, results, lambda cell: cell.metrics["retrieval_calls"], _retrieval_interval
    )
    axes.set_ylim(bottom=-0.04 * max(axes.get_ylim()[1], 1.0))


def _utility(results: Results) -> Figure:
    mu = float(results.spec["mu"])
    comparisons = compare_with_best_baseline(results)
    figure = new_figure(height=6.4 if comparisons else 4.6)
    if comparisons:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_comparisons(below, comparisons, line_styles(results.strategies))
        price_axis(below, results.prices)
    else:
        axes = figure.add_subplot()
        price_axis(axes, results.prices)
    _draw_strategies(
        axes,
        results,
        lambda cell: cell.metrics["utility"],
        lambda cell: bootstrap_mean(utilities(cell, mu)),
    )
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


def _draw_strategies(
    axes: Axes,
    results: Results,
    value: Callable[[CellResult], float],
    interval: Callable[[CellResult], Interval],
) -> None:
    for index, (strategy, style) in enumerate(line_styles(results.strategies).items()):
        cells = results.row(strategy)
        shift = side_by_side(results.prices, index, len(results.strategies))
        prices = [cell.retrieval_cost + shift for cell in cells]
        axes.plot(prices, [value(cell) for cell in cells], label=strategy, **style.line_options())
        draw_band(axes, prices, [interval(cell) for cell in cells], style)


def _draw_comparisons(
    axes: Axes, comparisons: Sequence[Comparison], styles_of: Mapping[str, LineStyle]
) -> None:
    axes.axhline(0, color="black", linewidth=0.8)
    for comparison in comparisons:
        style, interval = styles_of[comparison.baseline], comparison.difference.interval
        price = comparison.retrieval_cost
        axes.vlines(price, interval.low, interval.high, color=style.color, linewidth=1.6)
        axes.plot(price, comparison.difference.mean, linestyle="none", **style.marker_options())
    axes.margins(y=0.1)
    axes.set_ylabel(f"utility: {SUBJECT} - baseline")
    axes.set_title(
        f"{SUBJECT} minus the best baseline at each price (its marker), paired bootstrap 95 %",
        fontsize=9,
    )


def _accuracy_interval(cell: CellResult) -> Interval:
    return Interval(cell.metrics["accuracy_ci_low"], cell.metrics["accuracy_ci_high"])


def _retrieval_interval(cell: CellResult) -> Interval:
    return bootstrap_mean(n_actions(cell, Action.RETRIEVE))


def _title(axes: Axes, results: Results, what: str, note: str) -> None:
    spec = results.spec
    n_questions = max(len(cell.questions) for cell in results.cells)
    axes.set_title(
        f"{what}\n{spec['dataset']}, {spec['difficulty']}, {Path(spec['model']).name}, "
        f"n = {n_questions} questions; {note}"
    )
