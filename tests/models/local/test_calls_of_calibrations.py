"""Calibrations with a random model of two layers: hidden states and the answer's words are free."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import small_study
from builders.places import linked_cache

from argo_ml.calibration.features import FEATURES
from argo_ml.calibration.text_features import ANSWER_FEATURES, QUESTION_KINDS
from argo_ml.config import CalibrateSpec, build
from argo_ml.exploring.calibrate import Calibrated, run_calibration

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]

N_QUESTIONS = 12
WORDS = {*ANSWER_FEATURES, "answer_in_question", *QUESTION_KINDS}
Calibrate = Callable[..., Calibrated]


@pytest.fixture(params=["with choices", "written"])
def calibrate(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tiny_folder: Path,
    warm_cache: Path,
    tracking_uri: str,
) -> Calibrate:
    """Calibrates with a call cache of its own, so that every call that is needed is paid."""
    with_choices = request.param == "with choices"
    sources = small_study.write(tmp_path, n_more_countries=4, with_choices=with_choices)
    wanted = ("dataset", "questions", "documents", "max_new_tokens")
    common = {name: sources[name] for name in wanted} | {
        "model": str(tiny_folder),
        "device": "cpu",
        "tracking_uri": tracking_uri,
        "split": "all",
        "max_steps": "1",
        "n_questions": str(N_QUESTIONS),
        "difficulty": "all",
        "min_similarity": "-1",
    }

    def made(name: str, **values: object) -> Calibrated:
        cache = linked_cache(warm_cache, tmp_path / name)
        return run_calibration(build(CalibrateSpec, {**common, "cache_dir": cache, **values}))

    return made


def calls(calibrated: Calibrated) -> tuple[float, float]:
    metrics = calibrated.metrics
    return metrics["lm_calls_total"], metrics["lm_calls_paid_total"]


@contextlib.contextmanager
def no_features_of_words() -> Iterator[None]:
    known = dict(FEATURES)
    for name in WORDS:
        del FEATURES[name]  # type: ignore[attr-defined]
    yield
    FEATURES.clear()  # type: ignore[attr-defined]
    FEATURES.update(known)  # type: ignore[attr-defined]


def test_hidden_states_and_features_of_words_pay_no_call(calibrate: Calibrate) -> None:
    with no_features_of_words():
        plain = calibrate("plain")
    reading = calibrate("reading", hidden_states=True)

    assert calls(reading) == calls(plain)
    assert calls(plain)[1] >= 3 * N_QUESTIONS
    names, fewer = (set(own.calibration.feature_names) for own in (reading, plain))
    assert {name for name in names - fewer if not name.startswith("hidden_state")} == WORDS
    assert reading.calibration.has_hidden_states and not plain.calibration.has_hidden_states
