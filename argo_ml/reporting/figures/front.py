"""Accuracy against mean cost, with the Pareto front marked."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from argo_ml.reporting.figures.style import line_styles
from argo_ml.results.records import CellResult, Results


def pareto_front(cells: Sequence[CellResult]) -> list[CellResult]:
    """Cells that no other beats in accuracy at the same or a lower mean cost, cheapest first."""
    best: list[CellResult] = []
    for cell in sorted(cells, key=lambda cell: (cell.metrics["cost"], -cell.metrics["accuracy"])):
        if not best or cell.metrics["accuracy"] > best[-1].metrics["accuracy"]:
            best.append(cell)
    return best


def draw_front(axes: Axes, results: Results) -> None:
    for strategy, style in line_styles(results.strategies).items():
        axes.plot(
            *_points(results.row(strategy)),
            label=strategy,
            **{**style.line_options(), "linewidth": 0.8},
        )
    front = pareto_front(results.cells)
    costs, accuracies = _points(front)
    axes.step(costs, accuracies, where="post", color="#888888", linewidth=1.2, zorder=1)
    axes.plot(
        costs,
        accuracies,
        "o",
        markersize=15,
        markerfacecolor="none",
        markeredgecolor="#888888",
        label="Pareto front",
        zorder=1,
    )
    for cell in front:
        axes.annotate(
            f"$c_r$ = {cell.retrieval_cost:.4g}",
            (cell.metrics["cost"], cell.metrics["accuracy"]),
            xytext=(8, 8),
            textcoords="offset points",
            fontsize=8,
        )
    axes.margins(0.1)
    axes.set_xlabel("mean cost per question ($c_r$ x retrievals + $c_p$ x reasoning steps)")
    axes.set_ylabel("accuracy (share of questions)")


def _points(cells: Sequence[CellResult]) -> tuple[list[float], list[float]]:
    return (
        [cell.metrics["cost"] for cell in cells],
        [cell.metrics["accuracy"] for cell in cells],
    )
