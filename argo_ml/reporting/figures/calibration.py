"""How far p-hat can be trusted: the reliability diagram of a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from argo_ml.calibration.record import Calibration
from argo_ml.reporting.figures.style import new_figure, save, styled
from argo_ml.statistics.confidence import reliability_bins

N_BINS = 10


def save_calibration_figures(calibration: Calibration, folder: Path) -> None:
    nodes = calibration.nodes
    with styled():
        figure = new_figure(5.2, 4.8)
        axes = figure.add_subplot()
        draw_reliability(
            axes, [node.confidence for node in nodes], [node.correct for node in nodes]
        )
        axes.set_title(
            f"Reliability of p-hat, out of fold\nn = {len(nodes)} states of "
            f"{len(calibration.questions)} questions; bars: Wilson 95 %"
        )
        save(figure, folder, "reliability")


def draw_reliability(axes: Axes, confidences: Sequence[float], correct: Sequence[bool]) -> None:
    """Share of right answers by confidence, in bins of about equally many."""
    bins = reliability_bins(confidences, correct, N_BINS)
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=1.0, linestyle="--", label="calibrated")
    means = [own.mean_confidence for own in bins]
    axes.vlines(
        means,
        [own.interval.low for own in bins],
        [own.interval.high for own in bins],
        color="black",
        linewidth=1.2,
    )
    axes.plot(means, [own.share_correct for own in bins], "o-", color="black", markersize=4)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("p-hat (probability that the answer is right)")
    axes.set_ylabel("share of right answers")
