"""Utility by retrieval cost: fixed and stepwise strategies, and the gates beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation.record import Evaluation
from argo_ml.evaluation.roles import is_argo
from argo_ml.reporting import captions
from argo_ml.reporting.figures.description import EvaluationFigure
from argo_ml.reporting.figures.strategy_styles import label_ends, styles_of
from argo_ml.reporting.figures.style import (
    LineStyle,
    dodged,
    draw_band,
    draw_intervals,
    new_figure,
    price_axis,
)
from argo_ml.reporting.strategy_kinds import Kind, kinds, of_kind
from argo_ml.results.records import Results
from argo_ml.results.unit import Unit, unit_of

MOST_TICKS = 8
BEST_FIXED = LineStyle("#a6a6a6", "", "-", 5.0, 0.0, 1.0)


def price_utility(evaluation: Evaluation, results: Results) -> Figure | None:
    """Fixed and stepwise strategies, and beside them the gates; bars of fixed ones and of ARGO."""
    if not evaluation.rows:
        return None
    others = of_kind(evaluation, Kind.FIXED, Kind.STEPWISE, Kind.CEILING)
    gates = of_kind(evaluation, Kind.GATE)
    figure = new_figure(width=12.0 if gates else 7.4, height=5.4)
    panels = figure.subplots(1, 2 if gates else 1, squeeze=False)[0]
    unit = unit_of(results.spec)
    _draw(panels[0], evaluation, others, unit)
    panels[0].set_title("fixed and stepwise strategies; bars: bootstrap 95 %")
    panels[0].set_ylabel(f"utility (accuracy - {float(results.spec['mu']):g} x cost)")
    if gates:
        _draw_best_fixed(panels[1], evaluation)
        _draw(panels[1], evaluation, gates, unit)
        panels[1].set_title(
            "gates, on a scale of their own; grey: the best fixed strategy and its band"
        )
    return figure


def _draw(axes: Axes, evaluation: Evaluation, strategies: Sequence[str], unit: Unit) -> None:
    price_axis(axes, evaluation.prices, MOST_TICKS, unit)
    kind_by_strategy = kinds(evaluation)
    styles = styles_of(evaluation)
    for index, strategy in enumerate(strategies):
        style, rows = styles[strategy], evaluation.rows_of(strategy)
        costs = [row.retrieval_cost for row in rows]
        prices = dodged(evaluation.prices, costs, index, len(strategies))
        axes.plot(prices, [row.utility.mean for row in rows], **style.line_options())
        if kind_by_strategy[strategy] is Kind.FIXED or is_argo(strategy):
            draw_intervals(axes, prices, [row.utility for row in rows], style)
    _label(axes, evaluation, strategies, styles)


def _draw_best_fixed(axes: Axes, evaluation: Evaluation) -> None:
    best = evaluation.best_fixed()
    if best:
        prices = sorted(best)
        utilities = [best[price].utility for price in prices]
        axes.plot(prices, [utility.mean for utility in utilities], **BEST_FIXED.line_options())
        draw_band(axes, prices, utilities, BEST_FIXED)


def _label(
    axes: Axes,
    evaluation: Evaluation,
    strategies: Sequence[str],
    styles: Mapping[str, LineStyle],
) -> None:
    ends = {}
    for index, strategy in enumerate(strategies):
        last = evaluation.rows_of(strategy)[-1]
        [at] = dodged(evaluation.prices, [last.retrieval_cost], index, len(strategies))
        ends[strategy] = (at, last.utility.mean)
    label_ends(axes, ends, {name: style.color for name, style in styles.items()})


PRICE_UTILITY = EvaluationFigure(
    captions.PRICE_UTILITY,
    draw=price_utility,
)
