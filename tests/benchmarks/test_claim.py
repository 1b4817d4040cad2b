"""The questions that the claim is judged on, and stages that are not run twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo_ml.config import SweepSpec, build
from argo_ml.datasets.loading import DATASETS, load_questions
from argo_ml.errors import ConfigError
from benchmarks.claim import DATASET, HELD_BACK, N_HELD_BACK, STAGES, Claim


def ids(dataset: str, split: str, n_questions: int, folder: Path) -> set[str]:
    values = {"dataset": dataset, "split": split, "n_questions": n_questions, "difficulty": "all"}
    spec = build(SweepSpec, {**values, "cache_dir": folder})
    return {question.id for question in load_questions(spec).questions}


def test_test_questions_are_none_that_a_sweep_of_thousands_has_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATASETS, HELD_BACK, DATASET)
    held_back = ids(HELD_BACK, "test", N_HELD_BACK, tmp_path)

    assert len(held_back) == 3000
    assert not held_back & ids("atlas", "test", 5000, tmp_path)
    assert ids(HELD_BACK, "tune", 50, tmp_path) == ids("atlas", "tune", 50, tmp_path)


def test_stage_that_has_ended_is_not_run_again(tmp_path: Path) -> None:
    claim = Claim(tmp_path, "smollm2-135m", 1.0)

    assert claim.once("tune, one step", lambda: "first") == "first"
    assert claim.once("tune, one step", lambda: "second") == "first"


@pytest.mark.parametrize(
    ("other", "named"),
    [({"share": 1.0}, r"share=1\.0: .* of share=0\.01"), ({"model": "m"}, "model=m: .* of model=")],
)
def test_stages_of_a_rehearsal_or_another_model_are_none_of_the_claim(
    tmp_path: Path, other: dict[str, Any], named: str
) -> None:
    rehearsal = Claim(tmp_path, "smollm2-135m", 0.01)
    rehearsal.once("tune, one step", lambda: "first")

    with pytest.raises(ConfigError, match=f"{named}.*; name another --folder"):
        replace(rehearsal, **other).once("tune, one step", lambda: "second")
    assert rehearsal.once("tune, one step", lambda: "second") == "first"


def test_stages_that_name_neither_are_of_the_whole_claim(tmp_path: Path) -> None:
    (tmp_path / STAGES).write_text('{"tune, one step": "first"}')

    assert Claim(tmp_path, "smollm2-135m", 1.0).once("tune, one step", lambda: "second") == "first"
    with pytest.raises(ConfigError, match=r"share=0\.01"):
        Claim(tmp_path, "smollm2-135m", 0.01).once("tune, one step", lambda: "second")
