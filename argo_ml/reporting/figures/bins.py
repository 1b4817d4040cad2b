"""Was it as strategies believed: confidence against share right, expected against real gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.evaluation import breakdowns
from argo_ml.evaluation.record import Evaluation, GainBin, ReliabilityPoint
from argo_ml.reporting.figures.description import EvaluationFigure
from argo_ml.reporting.figures.strategy_styles import styles_of
from argo_ml.reporting.figures.style import LineStyle, draw_intervals, new_figure
from argo_ml.results.records import Results
from argo_ml.statistics.confidence import MIN_PER_DIAGRAM, MIN_PER_DIAGRAM_BIN

MOST_PANELS = 6
COLUMNS = 3
ELSEWHERE = LineStyle("#17508f", "o", "-", 1.5, 5.0, 3.0)
"""Look of what is no strategy of the evaluation."""

Bin = TypeVar("Bin", ReliabilityPoint, GainBin)


def reliability(evaluation: Evaluation, results: Results) -> Figure | None:
    """The first six strategies that have confidences in answers to enough questions."""
    figure = _panels(evaluation, large_enough(evaluation.reliability), _draw_reliability)
    if figure is None:
        return None
    for axes in figure.axes:
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
    price = breakdowns.middle_price(evaluation.prices)
    figure.supxlabel(f"confidence in the answer given at $c_r$ = {price:.4g}", fontsize=10)
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


def gains_by_strategy(evaluation: Evaluation) -> dict[str, list[GainBin]]:
    by_strategy: dict[str, list[GainBin]] = {}
    for gain_bin in evaluation.gains:
        by_strategy.setdefault(gain_bin.strategy, []).append(gain_bin)
    return by_strategy


def large_enough(by_strategy: Mapping[str, Sequence[Bin]]) -> dict[str, Sequence[Bin]]:
    """The strategies with as many questions as make two bins."""
    return {
        name: bins for name, bins in by_strategy.items() if n_questions(bins) >= MIN_PER_DIAGRAM
    }


def not_drawn(evaluation: Evaluation) -> tuple[str, ...]:
    """What there are too few questions to draw, one sentence each."""
    by_strategy = gains_by_strategy(evaluation)
    sentences = (
        _too_few("reliability diagram", evaluation.reliability),
        _too_few("figure of expected and realised gains", by_strategy),
    )
    return tuple(filter(None, sentences))


def _too_few(what: str, by_strategy: Mapping[str, Sequence[Bin]]) -> str:
    if not by_strategy or large_enough(by_strategy):
        return ""
    most = max(map(n_questions, by_strategy.values()))
    return (
        f"No {what}: bins of at least {MIN_PER_DIAGRAM_BIN} questions need {MIN_PER_DIAGRAM}, and "
        f"there are {most}."
    )


def n_questions(bins: Sequence[Bin]) -> int:
    """The questions that bins are of; those of earlier versions knew only decisions."""
    if not bins:
        return 0
    known = bins[0].n_questions if isinstance(bins[0], GainBin) else None
    return sum(own.n for own in bins) if known is None else known


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
    name="gains",
    caption=(
        "What decisions expected to gain over stopping against what they gained, in bins of about "
        "equally many and at least 20, with 95 % intervals over questions: expectations on the "
        "diagonal were right."
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
        "Share of right answers by confidence at the middle price, in bins of about equally many "
        "and at least 20, with Wilson's 95 % intervals: below the diagonal a strategy was surer "
        "than it should have been."
    ),
    alternative=(
        "Reliability diagrams, one panel per strategy, with the diagonal; how well confidences "
        "are calibrated is in the table of confidence."
    ),
    draw=reliability,
)
