"""The figures of an evaluation, each of the data that it needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from argo_ml.config import suggest
from argo_ml.errors import ConfigError
from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting.figures.accuracy_retrievals import ACCURACY_RETRIEVALS
from argo_ml.reporting.figures.bins import GAINS, RELIABILITY
from argo_ml.reporting.figures.description import EvaluationFigure
from argo_ml.reporting.figures.difficulty import ACTIONS_BY_DIFFICULTY
from argo_ml.reporting.figures.price_utility import PRICE_UTILITY
from argo_ml.reporting.figures.style import save, styled, wrapped
from argo_ml.reporting.figures.sweep import GRAPH_1A, GRAPH_1B, SWEEP_FIGURES
from argo_ml.results.naming import model_name, source_name
from argo_ml.results.records import Results

EVALUATION_FIGURES: Mapping[str, EvaluationFigure] = {
    figure.caption.name: figure
    for figure in (
        GRAPH_1A,
        GRAPH_1B,
        PRICE_UTILITY,
        ACCURACY_RETRIEVALS,
        GAINS,
        RELIABILITY,
        ACTIONS_BY_DIFFICULTY,
    )
}
"""Every figure of the report by its name, in the report's order."""


def draw_evaluation(
    evaluation: Evaluation, results: Results, folder: Path, drawn: Collection[str] = ()
) -> None:
    """Draw into ``folder``, as PNG and as SVG, every figure that there is data for, but for those
    of the names ``drawn``, which are there."""
    with styled():
        for name, description in EVALUATION_FIGURES.items():
            figure = None if name in drawn else description.draw(evaluation, results)
            if figure is not None:
                if not description.has_heading:
                    add_heading(figure, evaluation, results)
                save(figure, folder, name)


def draw_figure(name: str, evaluation: Evaluation, results: Results) -> Figure:
    """One figure of the report or of the sweep, as a user asks for it.

    Raises `ConfigError` for a name that is unknown, or where there is no data for it.
    """
    known = {**SWEEP_FIGURES, **EVALUATION_FIGURES}
    if name not in known:
        raise ConfigError(f"figure {name!r} is unknown{suggest(name, known)}")
    with styled():
        if name in SWEEP_FIGURES:
            return SWEEP_FIGURES[name](results)
        figure = EVALUATION_FIGURES[name].draw(evaluation, results)
    if figure is None:
        raise ConfigError(f"figure {name!r}: there is no data for it in run {results.sweep_id}")
    return figure


def add_heading(figure: Figure, evaluation: Evaluation, results: Results) -> None:
    """Say above the figure what was asked of which model."""
    source = (
        f"{source_name(results)}, {model_name(results.spec)}, "
        f"n = {evaluation.n_questions} questions"
    )
    figure.suptitle(wrapped(source, figure.get_figwidth()), x=0.01, ha="left", fontsize=9)
