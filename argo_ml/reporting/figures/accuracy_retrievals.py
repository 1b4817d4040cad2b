"""What retrieving more buys: every strategy, and the gates' frontiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from argo_ml.evaluation.record import Evaluation, GateFrontiers, Point
from argo_ml.reporting import captions
from argo_ml.reporting.figures.description import EvaluationFigure
from argo_ml.reporting.figures.strategy_styles import LABEL_GAP, spread, styles_of
from argo_ml.reporting.figures.style import new_figure, stacked_size
from argo_ml.reporting.strategy_kinds import Kind, kinds
from argo_ml.results.records import Results

MOST_GATES = 6
COLUMNS = 3


def accuracy_retrievals(evaluation: Evaluation, results: Results) -> Figure | None:
    if not evaluation.rows:
        return None
    gates = best_gates(evaluation.frontiers)
    n_lines = -(-len(gates) // COLUMNS)
    figure = new_figure(width=10.0 if gates else 7.4, height=4.8 + 2.9 * n_lines)
    grid = figure.add_gridspec(1 + n_lines, COLUMNS, height_ratios=[4.4, *[2.7] * n_lines])
    _draw_strategies(figure.add_subplot(grid[0, :]), evaluation)
    first: Axes | None = None
    for index, gate in enumerate(gates):
        where = grid[1 + index // COLUMNS, index % COLUMNS]
        axes = figure.add_subplot(where, sharex=first, sharey=first)
        _draw_gate(axes, evaluation, gate)
        axes.set_xlabel("share of questions retrieved for")
        if index % COLUMNS == 0:
            axes.set_ylabel("accuracy")
        first = first or axes
    if first is not None:
        handles, labels = first.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def best_gates(frontiers: Sequence[GateFrontiers]) -> list[GateFrontiers]:
    """As many gates as can be shown, by the mean accuracy of their exact frontiers."""
    drawable = [gate for gate in frontiers if gate.exact]
    by_worth = sorted(drawable, key=lambda gate: -fmean(point.accuracy for point in gate.exact))
    return by_worth[:MOST_GATES]


def _draw_strategies(axes: Axes, evaluation: Evaluation) -> None:
    """Fixed strategies are named where they stand, the others in the legend."""
    kind_by_strategy = kinds(evaluation)
    fixed = {}
    styles = styles_of(evaluation)
    for index, (strategy, style) in enumerate(styles.items()):
        rows = evaluation.rows_of(strategy)
        retrievals, accuracies = [row.rc for row in rows], [row.accuracy.mean for row in rows]
        is_fixed = kind_by_strategy[strategy] is Kind.FIXED
        axes.plot(
            retrievals,
            accuracies,
            label=None if is_fixed else strategy,
            **{
                **style.line_options(),
                "linewidth": 0.8,
                "markersize": stacked_size(index),
                "zorder": 3.0 - index / 100,
            },
        )
        if is_fixed:
            fixed[strategy] = (retrievals[-1], accuracies[-1])
    axes.margins(0.08)
    axes.set_xlabel("retriever calls per question")
    axes.set_ylabel("accuracy (share of questions)")
    axes.set_title("every strategy, one point per price")
    _name(axes, fixed, {name: style.color for name, style in styles.items()})
    if len(fixed) < len(kind_by_strategy):
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8)


def _name(axes: Axes, points: Mapping[str, tuple[float, float]], colors: Mapping[str, str]) -> None:
    """Names beside the points; heights are in shares of the axes, so that names do not meet."""
    low, high = axes.get_ylim()
    middle = sum(axes.get_xlim()) / 2
    wanted = [(y - low) / (high - low) for _, y in points.values()]
    for (name, (x, _)), height in zip(points.items(), spread(wanted, LABEL_GAP), strict=True):
        is_left = x < middle
        axes.annotate(
            name,
            (x, low + height * (high - low)),
            xytext=(8 if is_left else -8, 0),
            textcoords="offset points",
            ha="left" if is_left else "right",
            va="center",
            fontsize=8,
            color=colors[name],
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _draw_gate(axes: Axes, evaluation: Evaluation, gate: GateFrontiers) -> None:
    style = styles_of(evaluation).get(gate.gate)
    color = style.color if style else "#17508f"
    ends = [point for point in gate.exact if point.retrieval_share in (0.0, 1.0)]
    _line(axes, ends, color="#888888", linestyle=":", label="retrieving at random")
    _line(axes, gate.exact, color=color, linewidth=1.8, label="exact: the ranking's worth")
    if gate.deployable:
        _line(
            axes,
            gate.deployable,
            color=color,
            linestyle="none",
            marker="o",
            markersize=4,
            markerfacecolor="white",
            label="deployable: thresholds of the calibration",
        )
    axes.set_title(gate.gate)
    axes.set_xlim(-0.04, 1.04)


def _line(axes: Axes, points: Sequence[Point], **options: object) -> None:
    retrievals = [point.retrieval_share for point in points]
    accuracies = [point.accuracy for point in points]
    axes.plot(retrievals, accuracies, **options)  # type: ignore[arg-type]


ACCURACY_RETRIEVALS = EvaluationFigure(
    captions.ACCURACY_RETRIEVALS,
    draw=accuracy_retrievals,
)
