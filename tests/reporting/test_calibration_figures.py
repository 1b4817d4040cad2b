from __future__ import annotations

from pathlib import Path

import pytest
from builders import drawing
from builders.explored_nodes import node

from argo_ml.calibration import Calibration
from argo_ml.reporting.figures.calibration import (
    reliability_figure,
    save_calibration_figures,
    too_few_to_draw,
)
from argo_ml.testing.calibrations import recorded_calibration, seen_question


def calibrated(n_questions: int) -> Calibration:
    """Three states of each question, all as sure."""
    nodes = [
        node(index, letters, index % 2 == 0, confidence=index / n_questions)
        for index in range(n_questions)
        for letters in ("", "r", "p")
    ]
    return recorded_calibration(
        [seen_question({}, text=f"q{i}") for i in range(n_questions)], nodes
    )


def test_few_questions_have_no_diagram_and_a_reason(tmp_path: Path) -> None:
    save_calibration_figures(calibrated(39), tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert too_few_to_draw(calibrated(39)).startswith("n_questions=39: no reliability diagram")


@pytest.mark.slow
def test_enough_questions_have_a_diagram(tmp_path: Path) -> None:
    save_calibration_figures(calibrated(40), tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"reliability.png", "reliability.svg"}
    assert too_few_to_draw(calibrated(40)) == ""


def test_the_diagram_says_what_it_is_and_what_its_lines_are() -> None:
    figure = reliability_figure(calibrated(40))

    legend = figure.axes[0].get_legend()
    assert drawing.cut_off(figure) == []
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "as sure as right",
        "these questions",
    ]
