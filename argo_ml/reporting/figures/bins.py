"""Was it as strategies believed: confidence against share right, expected against real gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation import breakdowns
from argo_ml.evaluation.record import Evaluation, GainBin, ReliabilityPoint
from argo_ml.reporting import captions
from argo_ml.reporting.figures.description import EvaluationFigure
from argo_ml.reporting.figures.strategy_styles import styles_of
from argo_ml.reporting.figures.style import LineStyle, at_price, draw_intervals, new_figure, wrapped
from argo_ml.reporting.large_enough import Bin, gains_by_strategy, large_enough, n_questions
from argo_ml.results.records import Results
from argo_ml.results.unit import unit_of

MOST_PANELS = 6
COLUMNS = 3
ELSEWHERE = LineStyle("#17508f", "o", "-", 1.5, 5.0, 3.0)
"""Look of what is no strategy of the evaluation."""


def reliability(evaluation: Evaluation, results: Results) -> Figure | None:
    """The first six strategies that have confidences in answers to enough questions."""
    figure = _panels(evaluation, large_enough(evaluation.reliability), _draw_reliability)
    if figure is None:
        return None
    for axes in figure.axes:
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
    where = at_price(breakdowns.middle_price(evaluation.prices), unit_of(results.spec))
    label = f"confidence in the answer given at {where}"
    figure.supxlabel(wrapped(label, figure.get_figwidth()), fontsize=10)
    figure.supylabel("share of right answers", fontsize=10)
    return figure


def gains(evaluation: Evaluation, results: Results) -> Figure | None:
    """The first six strategies that expect gains about enough questions."""
    figure = _panels(evaluation, large_enough(gains_by_strategy(evaluation)), _draw_gains)
    if figure is None:
        return None
    figure.supxlabel("expected gain of the action over stopping, at any price", fontsize=10)
    figure.supylabel("realised gain", fontsize=10)
    return figure


def _title(name: str, bins: Sequence[Bin]) -> str:
    questions, rows = n_questions(bins), sum(own.n for own in bins)
    if isinstance(bins[0], GainBin) and rows != questions:
        return f"{name}, n = {questions} questions\n({rows} decisions)"
    return f"{name}, n = {questions} questions"


def _panels(
    evaluation: Evaluation,
    by_strategy: Mapping[str, Sequence[Bin]],
    draw: Callable[[Axes, Sequence[Bin], LineStyle], None],
) -> Figure | None:
    """One panel per strategy, all with the same axes."""
    shown = list(by_strategy)[:MOST_PANELS]
    if not shown:
        return None
    columns = min(COLUMNS, len(shown))
    n_lines = -(-len(shown) // columns)
    figure = new_figure(width=max(4.4, 3.3 * columns), height=0.5 + 3.1 * n_lines)
    grid = list(figure.subplots(n_lines, columns, sharex=True, sharey=True, squeeze=False).flat)
    styles = styles_of(evaluation)
    for axes, name in zip(grid, shown, strict=False):
        bins = by_strategy[name]
        axes.axline((0, 0), slope=1, color="#888888", linewidth=1.0, linestyle="--")
        draw(axes, bins, styles.get(name, ELSEWHERE))
        axes.set_title(_title(name, bins))
    for unused in grid[len(shown) :]:
        unused.remove()
    return figure


def _draw_reliability(axes: Axes, bins: Sequence[ReliabilityPoint], style: LineStyle) -> None:
    at = [own.confidence for own in bins]
    draw_intervals(axes, at, bins, style)
    line = {**style.line_options(), "linewidth": 0.9}
    axes.plot(at, [own.accuracy for own in bins], **line)


def _draw_gains(axes: Axes, bins: Sequence[GainBin], style: LineStyle) -> None:
    at = [own.expected for own in bins]
    axes.axhline(0, color="#aaaaaa", linewidth=0.8)
    draw_intervals(axes, at, [own.realised for own in bins], style)
    means = [own.realised.mean for own in bins]
    axes.plot(at, means, linestyle="none", **style.marker_options())


GAINS = EvaluationFigure(
    captions.GAINS,
    draw=gains,
)


RELIABILITY = EvaluationFigure(
    captions.RELIABILITY,
    draw=reliability,
)
