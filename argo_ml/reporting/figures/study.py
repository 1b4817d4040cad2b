"""The figures of a study: Optuna's own, and the plane of the two thresholds."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import optuna
from matplotlib.figure import Figure
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots

from argo_ml.config.study import THRESHOLDS
from argo_ml.errors import ConfigError
from argo_ml.reporting.figures.style import new_figure, save, styled
from argo_ml.results.study import OBJECTIVES, StudyReport, settings_of

FEWEST = 3
"""Complete trials with different values that importances need."""
FEWEST_OF_CONTOURS = 10
"""Complete trials below which contours would be drawn between points that say nothing of them."""

logger = logging.getLogger(__name__)


def draw_study(study: optuna.Study, report: StudyReport, folder: Path) -> None:
    """Draw what this study has data for, each as PNG and as SVG.

    With two objectives histories, slices and importances are those of the first.
    """
    # Optuna draws through pyplot, which must not look for a display.
    matplotlib.use("agg")
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    for name, draw in _figures(study, report, trials).items():
        with styled(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure = draw()
            save(figure, folder, name)
            _close(figure)


def study_figure(name: str, study: optuna.Study, report: StudyReport) -> Figure:
    """One figure of a study. Raises `ConfigError` for one that there is no data for."""
    matplotlib.use("agg")
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    known = _figures(study, report, trials)
    if name not in known:
        raise ConfigError(f"figure {name!r}: this study has {', '.join(known)}")
    with styled(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = known[name]()
    _close(figure)
    return figure


def _figures(
    study: optuna.Study, report: StudyReport, trials: Sequence[FrozenTrial]
) -> Mapping[str, Callable[[], Figure]]:
    names = study.user_attrs[OBJECTIVES]
    first: dict[str, Any] = {"target_name": names[0]}
    if len(names) > 1:
        first["target"] = lambda trial: trial.values[0]
    figures: dict[str, Callable[[], Figure]] = {
        "optimization_history": lambda: _of(plots.plot_optimization_history(study, **first)),
        "slice": lambda: _of(plots.plot_slice(study, **first)),
    }
    n_different = len({round(trial.values[0], 12) for trial in trials})
    if n_different >= FEWEST:
        figures["param_importances"] = lambda: _of(plots.plot_param_importances(study, **first))
    if n_different >= FEWEST and _spread(trials):
        figures["thresholds"] = lambda: draw_thresholds(trials, names[0], study.directions[0])
    if report.front:
        figures["pareto_front"] = lambda: _front(report, trials, names)
    return figures


def _of(axes: Any) -> Figure:
    """The figure that one of Optuna's plots drew on."""
    first = axes if hasattr(axes, "figure") else np.ravel(axes)[0]
    figure: Figure = first.figure
    figure.set_size_inches(max(6.4, 2.6 * len(figure.axes)), 4.6)
    figure.set_layout_engine("constrained")
    return figure


def _close(figure: Figure) -> None:
    from matplotlib import pyplot

    pyplot.close(figure)


def _spread(trials: Sequence[FrozenTrial]) -> bool:
    """Whether the trials' thresholds span a plane."""
    points = {_pair(trial) for trial in trials if _pair(trial) is not None}
    array = np.array([point for point in points if point is not None], dtype=float)
    return len(array) >= FEWEST and bool((np.ptp(array, axis=0) > 0).all()) and _has_area(array)


def _has_area(points: Any) -> bool:
    centered = points - points.mean(axis=0)
    return int(np.linalg.matrix_rank(centered, tol=1e-9)) == 2


def _pair(trial: FrozenTrial) -> tuple[float, ...] | None:
    settings = settings_of(trial.user_attrs)
    if not all(name in settings for name in THRESHOLDS):
        return None
    return tuple(settings[name] for name in THRESHOLDS)


def draw_thresholds(trials: Sequence[FrozenTrial], name: str, direction: StudyDirection) -> Figure:
    """The first value over theta_cont and theta_star; where several trials agree, their best.

    Few trials are shown as the points they are, without contours between them.
    """
    best: dict[tuple[float, ...], float] = {}
    pick = max if direction is StudyDirection.MAXIMIZE else min
    for trial in trials:
        point = _pair(trial)
        if point is not None:
            best[point] = pick(best.get(point, trial.values[0]), trial.values[0])
    theta_cont, theta_star = np.array(list(best)).T
    values = np.array(list(best.values()))
    figure = new_figure()
    axes = figure.add_subplot()
    has_contours = len(values) >= FEWEST_OF_CONTOURS
    if has_contours:
        axes.tricontourf(theta_cont, theta_star, values, levels=12, cmap="viridis")
    drawn = axes.scatter(
        theta_cont,
        theta_star,
        c=values,
        s=30,
        cmap="viridis",
        edgecolors="white" if has_contours else "black",
        zorder=3,
    )
    axes.axline((0, 0), slope=1, color="#777777", linewidth=0.9, linestyle="--")
    figure.colorbar(drawn, ax=axes, label=name)
    axes.set_xlabel(r"$\theta_{cont}$ (retrieve below)")
    axes.set_ylabel(r"$\theta^*$ (stop at)")
    note = "" if has_contours else f"; no contours, which need {FEWEST_OF_CONTOURS} points"
    axes.set_title(f"{name} over the two thresholds\n{len(trials)} complete trials{note}")
    return figure


def _front(report: StudyReport, trials: Sequence[FrozenTrial], names: Sequence[str]) -> Figure:
    """The trials' two values, those of the front joined, the knee named."""
    figure = new_figure()
    axes = figure.add_subplot()
    first, second = names
    values = np.array([trial.values for trial in trials])
    axes.plot(values[:, 1], values[:, 0], "o", color="#bbbbbb", markersize=4, label="trials")
    points = sorted((point.values[second], point.values[first]) for point in report.front)
    axes.step(*zip(*points, strict=True), where="post", color="#17508f", linewidth=1.2)
    axes.plot(*zip(*points, strict=True), "o", color="#17508f", markersize=6, label="Pareto front")
    knee = next(point for point in report.front if point.is_knee)
    axes.plot(knee.values[second], knee.values[first], "D", color="#d95f02", label="knee")
    axes.annotate(
        f"trial {knee.trial}",
        (knee.values[second], knee.values[first]),
        xytext=(8, -12),
        textcoords="offset points",
    )
    axes.set_xlabel(second.replace("_", " "))
    axes.set_ylabel(first.replace("_", " "))
    axes.set_title(f"{first} against {second}\n{len(trials)} complete trials")
    axes.legend()
    return figure
