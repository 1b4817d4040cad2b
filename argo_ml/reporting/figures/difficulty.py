"""What each strategy did for easy and for hard questions."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation.breakdowns import middle_price
from argo_ml.evaluation.record import ByDifficulty, Evaluation
from argo_ml.reporting import captions
from argo_ml.reporting.figures.description import EvaluationFigure
from argo_ml.reporting.figures.style import at_price, legend_below, new_figure, wrapped
from argo_ml.results.records import Results
from argo_ml.results.unit import unit_of

PANEL_WIDTH = 2.8
"""Inches."""


def actions_by_difficulty(evaluation: Evaluation, results: Results) -> Figure | None:
    """Mean retrievals and reasoning steps at the middle price; a panel per difficulty."""
    price = middle_price(evaluation.prices)
    rows = [row for row in evaluation.by_difficulty if row.retrieval_cost == price]
    if not rows:
        return None
    difficulties = list(dict.fromkeys(row.difficulty for row in rows))
    strategies = list(dict.fromkeys(row.strategy for row in rows))
    label = f"actions per question at {at_price(price, unit_of(results.spec))}"
    figure = new_figure(
        width=max(6.4, 2.0 + PANEL_WIDTH * len(difficulties)), height=1.4 + 0.27 * len(strategies)
    )
    panels = figure.subplots(1, len(difficulties), sharex=True, sharey=True, squeeze=False)[0]
    for axes, difficulty in zip(panels, difficulties, strict=True):
        own = [row for row in rows if row.difficulty == difficulty]
        _draw(axes, own, strategies)
        axes.set_title(f"{difficulty}, n = {max(row.n for row in own)}; numbers: accuracy")
        axes.set_xlabel(wrapped(label, PANEL_WIDTH))
    panels[0].set_yticks(range(len(strategies)), strategies)
    panels[0].invert_yaxis()
    legend_below(figure)
    return figure


def _draw(axes: Axes, rows: Sequence[ByDifficulty], strategies: Sequence[str]) -> None:
    at = [strategies.index(row.strategy) for row in rows]
    retrievals = [row.retrieve for row in rows]
    axes.barh(
        at,
        retrievals,
        label="retrievals",
        color="#2166ac",
        edgecolor="black",
        linewidth=0.5,
    )
    axes.barh(
        at,
        [row.reason for row in rows],
        left=retrievals,
        label="reasoning steps",
        color="#f4b183",
        edgecolor="black",
        linewidth=0.5,
        hatch="///",
    )
    for height, row in zip(at, rows, strict=True):
        axes.annotate(
            f"{row.accuracy:.2f}",
            (row.retrieve + row.reason, height),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12, y=0.02)


ACTIONS_BY_DIFFICULTY = EvaluationFigure(
    captions.ACTIONS_BY_DIFFICULTY,
    draw=actions_by_difficulty,
)
