"""Which questions the best settings of a study are judged on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import hand_made_sweep as sweep
from builders import planted_study

from argo_ml.config import StudySpec, build
from argo_ml.datasets import load_questions
from argo_ml.errors import ConfigError
from argo_ml.study.judging import open_test_context, utility_difference
from argo_ml.sweep.context import LocalContext
from argo_ml.testing.calibrations import recorded_calibration, seen_question


def context(folder: Path, calibrating: str) -> LocalContext[StudySpec]:
    """A context of nothing but questions, with a calibration made on all of that split."""
    sources = planted_study.write(folder)
    spec = build(StudySpec, {**sources, "n_questions": 20, "calibration": "made"})
    seen = [
        seen_question({}, text="Which?").model_copy(update={"id": own_id})
        for own_id in planted_study.ids_of(calibrating)
    ]
    nothing: Any = None
    return LocalContext(
        spec, load_questions(spec), nothing, nothing, nothing, recorded_calibration(seen)
    )


def test_a_calibration_on_the_test_split_is_refused(tmp_path: Path) -> None:
    """As a sweep refuses it."""
    with pytest.raises(ConfigError, match=r"split=test shares 20 questions with calibration=made"):
        open_test_context(context(tmp_path, "test"))


def test_a_calibration_on_a_third_split_is_not(tmp_path: Path) -> None:
    tests = open_test_context(context(tmp_path, "calibration"))
    assert {own.id for own in tests.questions.questions} <= set(planted_study.ids_of("test"))


@pytest.mark.parametrize(("n", "sign"), [(100, 0), (400, 1)])
def test_a_difference_says_whether_it_is_told(n: int, sign: int) -> None:
    """Of retrievals alone that the best settings save, on all questions but one."""
    saving = sweep.cell("argo", 0.02, "0" * n)
    retrieving = sweep.cell("always_retrieve", 0.02, "0" * n, [["retrieve"]] * (n - 1) + [[]])

    difference = utility_difference(saving, retrieving, 1.0)

    assert difference.low > 0.0
    assert (difference.sign, difference.told_sign) == (sign, sign)
