"""Accuracy against mean cost at a price, with the Pareto front of the methods marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from argo_ml.evaluation.breakdowns import middle_price
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.reporting.figures.strategy_styles import strategy_styles
from argo_ml.reporting.figures.style import at_price, cost_label, stacked_size, wrapped
from argo_ml.results.records import CellResult, Results
from argo_ml.results.unit import unit_of

FRONT_COLOR = "#9a9a9a"
LABEL_WIDTH = 3.6
"""Inches of a label that stands under one panel of several."""


def pareto_front(cells: Sequence[CellResult]) -> list[CellResult]:
    """Cells that no other beats in accuracy at the same or a lower mean cost, cheapest first.

    Strategies that know the answers are left out: nobody can choose them.
    """
    best: list[CellResult] = []
    methods = [cell for cell in cells if not is_ceiling(cell.strategy)]
    for cell in sorted(methods, key=lambda cell: (cell.metrics["cost"], -cell.metrics["accuracy"])):
        if not best or cell.metrics["accuracy"] > best[-1].metrics["accuracy"]:
            best.append(cell)
    return best


def pareto_fronts(results: Results) -> Mapping[float, list[CellResult]]:
    """The front of each price: what costs less at another price is no better method."""
    return {price: pareto_front(_at(results, price)) for price in results.prices}


def draw_front(axes: Axes, results: Results, price: float) -> None:
    """Every strategy at one price, and the front of those that are methods."""
    styles = strategy_styles(results.strategies)
    front = pareto_fronts(results)[price]
    unit = unit_of(results.spec)
    costs = [unit.amount(cell.metrics["cost"]) for cell in front]
    accuracies = [cell.metrics["accuracy"] for cell in front]
    axes.step(costs, accuracies, where="post", color=FRONT_COLOR, linewidth=1.4, zorder=1)
    axes.plot(
        costs,
        accuracies,
        "o",
        markersize=16,
        markerfacecolor="none",
        markeredgecolor=FRONT_COLOR,
        label="Pareto front of the methods",
        zorder=1,
    )
    for index, cell in enumerate(_at(results, price)):
        style, metrics = styles[cell.strategy], cell.metrics
        axes.plot(
            unit.amount(metrics["cost"]),
            metrics["accuracy"],
            linestyle="none",
            label=cell.strategy,
            zorder=3.0 - index / 100,
            **{**style.marker_options(), "markersize": stacked_size(index)},
        )
    axes.margins(0.12)


def draw_middle_front(axes: Axes, results: Results) -> None:
    """The front at the middle price, for a figure with a panel for each of several sweeps."""
    price, unit = middle_price(results.prices), unit_of(results.spec)
    draw_front(axes, results, price)
    axes.set_xlabel(wrapped(f"{cost_label(unit)} at {at_price(price, unit)}", LABEL_WIDTH))


def _at(results: Results, price: float) -> list[CellResult]:
    return [cell for cell in results.cells if cell.retrieval_cost == price]
