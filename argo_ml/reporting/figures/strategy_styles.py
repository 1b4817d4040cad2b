"""How strategies look in the figures of an evaluation: by what they are, the same in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import numpy as np
from matplotlib.axes import Axes
from scipy import optimize  # type: ignore[import-untyped]

from argo_ml.evaluation.record import Evaluation, StrategyRow
from argo_ml.reporting.figures.style import LINES, MARKERS, LineStyle

CEILING_COLOR = "#000000"
FIXED_COLORS = ("#4d4d4d", "#767676")
# Dark enough for the names, which are written in them.
BRIGHT_COLORS = (
    "#17508f",
    "#d95f02",
    "#1b7837",
    "#7a0177",
    "#b8860b",
    "#c51b7d",
    "#35978f",
    "#8c510a",
    "#2b8cbe",
    "#e31a1c",
    "#5e3c99",
    "#5a8f00",
)
LABEL_GAP = 0.052
"""Least distance of two labels, as a share of the height of the axes."""


class Kind(Enum):
    """Fixed ones treat all questions alike, gates decide once, stepwise ones before every step."""

    CEILING = "ceiling"
    FIXED = "fixed"
    STEPWISE = "stepwise"
    GATE = "gate"


def kind_of(row: StrategyRow) -> Kind:
    if row.is_ceiling:
        return Kind.CEILING
    if row.is_fixed:
        return Kind.FIXED
    return Kind.STEPWISE if row.fire_share is None else Kind.GATE


def kinds(evaluation: Evaluation) -> dict[str, Kind]:
    """The kind of every strategy, in the order of the evaluation."""
    by_strategy: dict[str, Kind] = {}
    for row in evaluation.rows:
        by_strategy.setdefault(row.strategy, kind_of(row))
    return by_strategy


def of_kind(evaluation: Evaluation, *wanted: Kind) -> list[str]:
    """The strategies of these kinds, in the order of the evaluation."""
    return [strategy for strategy, kind in kinds(evaluation).items() if kind in wanted]


def styles_of(evaluation: Evaluation) -> dict[str, LineStyle]:
    """Grey for fixed strategies, dashed black for the ceiling, color for all others."""
    stepwise, gates = of_kind(evaluation, Kind.STEPWISE), of_kind(evaluation, Kind.GATE)
    styles = {name: _bright(at, name in gates) for at, name in enumerate((*stepwise, *gates))}
    styles |= {name: _grey(at) for at, name in enumerate(of_kind(evaluation, Kind.FIXED))}
    ceiling = LineStyle(CEILING_COLOR, "*", (0, (4, 2)), 1.4, 5.0, 2.5)
    return styles | {name: ceiling for name in of_kind(evaluation, Kind.CEILING)}


def _bright(index: int, is_thin: bool) -> LineStyle:
    return LineStyle(
        color=BRIGHT_COLORS[index % len(BRIGHT_COLORS)],
        marker=MARKERS[index % len(MARKERS)],
        line="-" if is_thin else LINES[index % len(LINES)],
        width=1.0 if is_thin else 1.8,
        marker_size=4.0,
        order=3.0 if is_thin else 4.0,
    )


def _grey(index: int) -> LineStyle:
    return LineStyle(
        color=FIXED_COLORS[index % len(FIXED_COLORS)],
        marker=MARKERS[index % len(MARKERS)],
        line=LINES[index % len(LINES)],
        width=1.2,
        marker_size=4.5,
        order=2.0,
    )


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions, moved as little as leaves them ``gap`` apart; least squares, order kept."""
    order = np.argsort(positions, kind="stable")
    steps = gap * np.arange(len(order))
    moved = optimize.isotonic_regression(np.asarray(positions, dtype=float)[order] - steps).x
    placed = np.empty(len(order))
    placed[order] = moved + steps
    return [float(position) for position in placed]


def label_ends(
    axes: Axes, ends: Mapping[str, tuple[float, float]], colors: Mapping[str, str]
) -> None:
    """Names at the right of the axes, each joined to its point; for axes whose limits are final."""
    low, high = axes.get_ylim()
    wanted = [(y - low) / (high - low) for _, y in ends.values()]
    for (name, point), height in zip(ends.items(), spread(wanted, LABEL_GAP), strict=True):
        axes.annotate(
            name,
            point,
            xytext=(1.07, height),
            textcoords="axes fraction",
            color=colors[name],
            fontsize=8,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colors[name],
                "linewidth": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 3,
            },
        )
