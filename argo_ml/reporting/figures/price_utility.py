"""Utility by retrieval cost: fixed and stepwise strategies, and the gates beside them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation.comparison import KIN
from argo_ml.evaluation.record import Evaluation, StrategyRow
from argo_ml.reporting.figures.strategy_styles import Kind, kinds, label_ends, of_kind, styles_of
from argo_ml.reporting.figures.style import (
    LineStyle,
    draw_band,
    new_figure,
    price_axis,
    side_by_side,
)
from argo_ml.results.records import Results

OWN = frozenset({*KIN, "argo_calibrated", "argo_fitted"})
"""ARGO and its kin; of other strategies that are not fixed no band is drawn."""

BEST_FIXED = LineStyle("#a6a6a6", "", "-", 5.0, 0.0, 1.0)


def price_utility(evaluation: Evaluation, results: Results) -> Figure | None:
    if not evaluation.rows:
        return None
    others = of_kind(evaluation, Kind.FIXED, Kind.STEPWISE, Kind.CEILING)
    gates = of_kind(evaluation, Kind.GATE)
    figure = new_figure(width=12.0 if gates else 7.4, height=5.4)
    panels = figure.subplots(1, 2 if gates else 1, squeeze=False)[0]
    _draw(panels[0], evaluation, others)
    panels[0].set_title("fixed and stepwise strategies; bands: bootstrap 95 %")
    panels[0].set_ylabel(f"utility (accuracy - {float(results.spec['mu']):g} x cost)")
    if gates:
        _draw_best_fixed(panels[1], evaluation)
        _draw(panels[1], evaluation, gates)
        panels[1].set_title(
            "gates, on a scale of their own; grey: the best fixed strategy and its band"
        )
    return figure


def _draw(axes: Axes, evaluation: Evaluation, strategies: Sequence[str]) -> None:
    price_axis(axes, evaluation.prices)
    found = kinds(evaluation)
    for index, strategy in enumerate(strategies):
        style, rows = styles_of(evaluation)[strategy], evaluation.rows_of(strategy)
        shift = side_by_side(evaluation.prices, index, len(strategies))
        prices = [row.retrieval_cost + shift for row in rows]
        axes.plot(prices, [row.utility.mean for row in rows], **style.line_options())
        if found[strategy] is Kind.FIXED or strategy in OWN:
            draw_band(axes, prices, [row.utility for row in rows], style, has_edges=False)
    _label(axes, evaluation, strategies)


def _draw_best_fixed(axes: Axes, evaluation: Evaluation) -> None:
    best: dict[float, StrategyRow] = {}
    for row in evaluation.rows:
        so_far = best.get(row.retrieval_cost)
        if row.is_fixed and (so_far is None or row.utility.mean > so_far.utility.mean):
            best[row.retrieval_cost] = row
    if best:
        prices = sorted(best)
        utilities = [best[price].utility for price in prices]
        axes.plot(prices, [each.mean for each in utilities], **BEST_FIXED.line_options())
        draw_band(axes, prices, utilities, BEST_FIXED, has_edges=False)


def _label(axes: Axes, evaluation: Evaluation, strategies: Sequence[str]) -> None:
    ends = {}
    for index, strategy in enumerate(strategies):
        last = evaluation.rows_of(strategy)[-1]
        shift = side_by_side(evaluation.prices, index, len(strategies))
        ends[strategy] = (last.retrieval_cost + shift, last.utility.mean)
    label_ends(axes, ends, {name: style.color for name, style in styles_of(evaluation).items()})
