"""The figures of an evaluation, each of the data that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting.figures.accuracy_retrievals import accuracy_retrievals
from argo_ml.reporting.figures.bins import gains, reliability
from argo_ml.reporting.figures.difficulty import actions_by_difficulty
from argo_ml.reporting.figures.price_utility import price_utility
from argo_ml.reporting.figures.style import save, styled
from argo_ml.results.records import Results

Draw = Callable[[Evaluation, Results], Figure | None]

EVALUATION_FIGURES: Mapping[str, Draw] = {
    "price_utility": price_utility,
    "accuracy_retrievals": accuracy_retrievals,
    "gains": gains,
    "reliability": reliability,
    "actions_by_difficulty": actions_by_difficulty,
}
"""File name without suffix -> what draws it, or returns None where the evaluation has no data."""


def draw_evaluation(evaluation: Evaluation, results: Results, folder: Path) -> None:
    """Draw into ``folder``, as PNG and as SVG, every figure that there is data for."""
    with styled():
        for name, draw in EVALUATION_FIGURES.items():
            figure = draw(evaluation, results)
            if figure is not None:
                figure.suptitle(_source(evaluation, results), x=0.01, ha="left", fontsize=9)
                save(figure, folder, name)


def _source(evaluation: Evaluation, results: Results) -> str:
    spec = results.spec
    return (
        f"{spec['dataset']}, {spec['difficulty']}, {Path(spec['model']).name}, "
        f"n = {evaluation.n_questions} questions"
    )
