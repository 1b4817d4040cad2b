"""How strategies look: one color, marker and line each, the same in all figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from argo_ml.evaluation.record import Evaluation
from argo_ml.evaluation.roles import is_argo, is_ceiling
from argo_ml.policies import ALL_STRATEGIES
from argo_ml.reporting.figures.style import LineStyle
from argo_ml.reporting.strategy_kinds import kinds

CEILING_COLOR = "#4d4d4d"
# Neighbors differ in luminance, hue, marker and line, so that any one of them suffices; all are
# dark enough for the names, which are written in them.
COLORS = (
    "#000000",
    "#b8860b",
    "#17508f",
    "#d95f02",
    "#999999",
    "#5e3c99",
    "#35978f",
    "#c51b7d",
    "#1b7837",
    "#e31a1c",
    "#2b8cbe",
    "#8c510a",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "d", "<", ">", "p", "X", "h")
LINES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (1.2, 1.2)),
    (0, (9, 2)),
    (0, (4, 1, 1, 1, 1, 1)),
    (0, (2, 2, 6, 2)),
)
LABEL_GAP = 0.052
"""Least distance of two labels, as a share of the height of the axes."""


def styles_of(evaluation: Evaluation) -> dict[str, LineStyle]:
    """The look of every strategy of an evaluation, as `strategy_styles` has it."""
    return strategy_styles(list(kinds(evaluation)))


def strategy_styles(strategies: Sequence[str]) -> dict[str, LineStyle]:
    """One look per strategy, the same in every figure of a sweep.

    A known strategy takes the look of its place among all of them, so that it looks the same in
    other sweeps too; where another one of the sweep has that color already, the next free one. The
    ceiling is grey and dashed.
    """
    known = {name: place for place, name in enumerate(ALL_STRATEGIES)}
    methods = [name for name in strategies if not is_ceiling(name)]
    methods.sort(key=lambda name: known.get(name, len(known)))
    wanted = [known.get(name, position) for position, name in enumerate(methods)]
    looks = {name: _look(name, place) for name, place in zip(methods, _free(wanted), strict=True)}
    ceiling = LineStyle(CEILING_COLOR, "*", (0, (4, 2)), 1.2, 7.0, 2.0)
    return {name: looks.get(name, ceiling) for name in strategies}


def _free(wanted: Sequence[int]) -> list[int]:
    """Places of which no two have one color, as long as there are colors, and none are the same."""
    taken: list[int] = []
    for place in wanted:
        n_rounds = len(taken) // len(COLORS)
        colors = [own % len(COLORS) for own in taken[n_rounds * len(COLORS) :]]
        while place % len(COLORS) in colors or place in taken:
            place += 1 if place % len(COLORS) in colors else len(COLORS)
        taken.append(place)
    return taken


def _look(strategy: str, place: int) -> LineStyle:
    in_question = is_argo(strategy)
    return LineStyle(
        color=COLORS[place % len(COLORS)],
        marker=MARKERS[place % len(MARKERS)],
        line=LINES[place % len(LINES)],
        width=1.5,
        marker_size=5.0,
        order=4.0 if in_question else 3.0,
        is_filled=in_question,
    )


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions, moved as little as leaves them ``gap`` apart; least squares, order kept."""
    from scipy import optimize  # type: ignore[import-untyped]

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
