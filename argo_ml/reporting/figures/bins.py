"""Was it as strategies believed: confidence against share right, expected against real gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation.record import Evaluation, GainBin, ReliabilityPoint
from argo_ml.reporting.figures.description import EvaluationFigure
from argo_ml.reporting.figures.strategy_styles import styles_of
from argo_ml.reporting.figures.style import new_figure
from argo_ml.results.records import Results

MOST_PANELS = 6
COLUMNS = 3
ELSEWHERE = "#17508f"
"""Color of what is no strategy of the evaluation."""

Bin = TypeVar("Bin", ReliabilityPoint, GainBin)


def reliability(evaluation: Evaluation, results: Results) -> Figure | None:
    """The first six strategies that have confidences."""
    figure = _panels(evaluation, evaluation.reliability, _draw_reliability)
    if figure is None:
        return None
    for axes in figure.axes:
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
    figure.supxlabel("confidence in the answer given", fontsize=10)
    figure.supylabel("share of right answers", fontsize=10)
    return figure


def gains(evaluation: Evaluation, results: Results) -> Figure | None:
    """The first six strategies that expect gains."""
    by_strategy: dict[str, list[GainBin]] = {}
    for gain_bin in evaluation.gains:
        by_strategy.setdefault(gain_bin.strategy, []).append(gain_bin)
    figure = _panels(evaluation, by_strategy, _draw_gains)
    if figure is None:
        return None
    figure.supxlabel("expected gain of the action over stopping", fontsize=10)
    figure.supylabel("realised gain", fontsize=10)
    return figure


def _panels(
    evaluation: Evaluation,
    by_strategy: Mapping[str, Sequence[Bin]],
    draw: Callable[[Axes, Sequence[Bin], str], None],
) -> Figure | None:
    """One panel per strategy that has bins, all with the same axes."""
    shown = [name for name, bins in by_strategy.items() if bins][:MOST_PANELS]
    if not shown:
        return None
    columns = min(COLUMNS, len(shown))
    n_lines = -(-len(shown) // columns)
    figure = new_figure(width=max(4.4, 3.3 * columns), height=0.5 + 3.1 * n_lines)
    grid = figure.subplots(n_lines, columns, sharex=True, sharey=True, squeeze=False).flat
    styles = styles_of(evaluation)
    for axes, name in zip(grid, shown, strict=False):
        bins = by_strategy[name]
        axes.axline((0, 0), slope=1, color="#888888", linewidth=1.0, linestyle="--")
        draw(axes, bins, styles[name].color if name in styles else ELSEWHERE)
        axes.set_title(f"{name}, n = {sum(own.n for own in bins)}")
    for unused in list(grid)[len(shown) :]:
        unused.remove()
    return figure


def _draw_reliability(axes: Axes, bins: Sequence[ReliabilityPoint], color: str) -> None:
    at = [own.confidence for own in bins]
    axes.vlines(at, [own.low for own in bins], [own.high for own in bins], color=color)
    axes.plot(at, [own.accuracy for own in bins], "o-", color=color, markersize=4, linewidth=0.9)


def _draw_gains(axes: Axes, bins: Sequence[GainBin], color: str) -> None:
    at = [own.expected for own in bins]
    low, high = ([getattr(own.realised, end) for own in bins] for end in ("low", "high"))
    axes.axhline(0, color="#aaaaaa", linewidth=0.8)
    axes.vlines(at, low, high, color=color)
    axes.plot(at, [own.realised.mean for own in bins], "o", color=color, markersize=4)


GAINS = EvaluationFigure(
    name="gains",
    caption=(
        "What decisions expected to gain over stopping against what they gained, in bins of about "
        "equally many with 95 % intervals: expectations on the diagonal were right."
    ),
    alternative=(
        "Realised against expected gain, one panel per strategy that expects gains, with the "
        "diagonal."
    ),
    draw=gains,
)


RELIABILITY = EvaluationFigure(
    name="reliability",
    caption=(
        "Share of right answers by confidence: below the diagonal a strategy was surer than it "
        "should have been; intervals (95 %) take a question for another one at every price, so "
        "that they are too narrow."
    ),
    alternative=(
        "Reliability diagrams, one panel per strategy, with the diagonal; how well confidences "
        "are calibrated is in the table of confidence."
    ),
    draw=reliability,
)
