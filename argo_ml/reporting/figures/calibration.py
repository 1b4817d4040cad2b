"""How far p-hat can be trusted: the reliability diagram of a calibration."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from argo_ml.calibration.record import Calibration
from argo_ml.reporting.figures.style import new_figure, save, styled
from argo_ml.statistics.confidence import (
    MIN_PER_DIAGRAM,
    MIN_PER_DIAGRAM_BIN,
    reliability_bins,
)

N_BINS = 10


def save_calibration_figures(calibration: Calibration, folder: Path) -> None:
    """Draw ``reliability`` into ``folder``; nothing where `too_few_to_draw` says so."""
    if too_few_to_draw(calibration):
        return
    with styled():
        save(reliability_figure(calibration), folder, "reliability")


def reliability_figure(calibration: Calibration) -> Figure:
    n_questions = len(calibration.questions)
    with styled():
        figure = new_figure(5.2, 4.8)
        axes = figure.add_subplot()
        draw_reliability(axes, calibration)
        axes.set_title(
            f"Reliability of p-hat, out of fold\nn = {n_questions} questions "
            f"({len(calibration.nodes)} states)\nbars: bootstrap 95 % over questions"
        )
    return figure


def too_few_to_draw(calibration: Calibration) -> str:
    """Why there is no reliability diagram; empty where there is one."""
    n_questions = len(calibration.questions)
    if n_questions >= MIN_PER_DIAGRAM:
        return ""
    return (
        f"n_questions={n_questions}: no reliability diagram, whose bins of at least "
        f"{MIN_PER_DIAGRAM_BIN} need {MIN_PER_DIAGRAM} questions"
    )


def draw_reliability(axes: Axes, calibration: Calibration) -> None:
    """Share of right answers by confidence, in bins of about equally many states; those of one
    question go together."""
    nodes = calibration.nodes
    n_bins = min(N_BINS, len(calibration.questions) // MIN_PER_DIAGRAM_BIN)
    bins = reliability_bins(
        [node.confidence for node in nodes],
        [node.correct for node in nodes],
        n_bins,
        [node.question for node in nodes],
        least=MIN_PER_DIAGRAM_BIN,
    )
    axes.plot(
        [0, 1], [0, 1], color="#888888", linewidth=1.0, linestyle="--", label="as sure as right"
    )
    means = [own.mean_confidence for own in bins]
    axes.vlines(
        means,
        [own.interval.low for own in bins],
        [own.interval.high for own in bins],
        color="black",
        linewidth=1.2,
    )
    shares = [own.share_correct for own in bins]
    axes.plot(means, shares, "o-", color="black", markersize=4, label="these questions")
    axes.legend(loc="upper left")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("p-hat (probability that the answer is right)")
    axes.set_ylabel("share of right answers")
