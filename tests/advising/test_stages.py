"""A stage of a study: what is kept of one that is cut, and by what a finished one is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from argo_ml.advising.running import _judge_on_explored
from argo_ml.advising.stages import Stages, stage_key
from argo_ml.config import AdviseSpec, SweepSpec, build
from argo_ml.errors import StoppedError
from argo_ml.policies.checking import check_strategies
from argo_ml.progress import EPISODES, QUESTIONS, OnProgress, ignore_progress


class SpentBudget:
    """Ends a stage at its first look."""

    def watching(self, on_progress: OnProgress, share: float) -> OnProgress:
        def watch(unit: str, n_finished: int, n_total: int) -> None:
            on_progress(unit, n_finished, n_total)
            if unit == EPISODES:
                raise StoppedError("spent")

        return watch


def test_a_stage_that_is_cut_keeps_the_questions_that_are_finished_and_no_halves_of_others() -> (
    None
):
    nothing: Any = None
    stages = Stages(AdviseSpec(), nothing, nothing, cast(Any, SpentBudget()), ignore_progress)

    def run(n_questions: int, on_progress: OnProgress) -> int:
        if n_questions == 100:
            on_progress(QUESTIONS, 20, 100)
            on_progress(EPISODES, 420, 1000)
        return n_questions

    assert stages._within_budget("tune", 100, 10, run) == (20, 20)
    assert stages._within_budget("tune", 100, 30, run) is None


class ExploredStages:
    """Takes down what is swept on the explored questions."""

    def swept(self, stage: str, spec: SweepSpec) -> None:
        self.spec, self.strategies = spec, spec.strategies
        raise StoppedError(stage)


def test_only_fixed_plans_are_judged_on_the_explored_questions() -> None:
    policies = "never,single,argo,random,fixed_threshold,argo_fitted,always_reason"
    stages = ExploredStages()

    with pytest.raises(StoppedError, match="explored"):
        _judge_on_explored(build(AdviseSpec, {"policies": policies}), cast(Any, stages), "c", 10)

    assert stages.strategies == ("never", "single", "always_reason")


def test_plans_that_follow_from_measured_prices_are_not_judged_without_a_calibration() -> None:
    money = {"value_of_correct": "2", "price_per_retrieval": "0.1,0.4"}
    priced = {**money, "price_per_1m_prompt_tokens": "1"}
    policies = "never,single,always_retrieve,always_reason,argo_fitted"
    swept: list[tuple[str, ...]] = []

    for prices in (money, priced):
        stages = ExploredStages()
        spec = build(AdviseSpec, {"policies": policies, **prices})
        with pytest.raises(StoppedError, match="explored"):
            _judge_on_explored(spec, cast(Any, stages), "c", 10)
        check_strategies(stages.strategies, stages.spec)
        swept.append(stages.strategies)

    assert swept == [("never", "single", "always_retrieve", "always_reason"), ("never", "single")]


def test_a_stage_is_the_same_wherever_it_is_asked_for_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = {"questions": str(tmp_path / "q.jsonl"), "documents": str(tmp_path / "d")}
    elsewhere = {"cache_dir": str(tmp_path / "c"), "gpus": "none", "server_concurrency": "3"}

    def key(n_questions: int = 10, calibration: str = "a", **values: str) -> str:
        asked = {"dataset": "jsonl", "questions": "q.jsonl", "documents": "d", **values}
        spec = build(AdviseSpec, asked)
        return stage_key(spec.sweep("tune", n_questions, ("never", "single"), calibration))

    assert key(**there, **elsewhere) == key()
    others = [key(11), key(calibration="b"), key(documents="e"), key(seed="1")]
    assert len({key(), *others}) == 5
