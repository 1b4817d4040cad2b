"""A stage of a study: what is kept of one that is cut, and by what a finished one is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import small_study

from argo_ml.advising.running import _judge_on_explored
from argo_ml.advising.stages import STAGE_KEY, Stages, stage_key
from argo_ml.config import AdviseSpec, QuestionSpec, SweepSpec, build, shared_fields
from argo_ml.datasets import load_questions
from argo_ml.errors import StoppedError
from argo_ml.policies.checking import check_strategies
from argo_ml.progress import EPISODES, QUESTIONS, OnProgress, ignore_progress
from argo_ml.tracking.runs import STAGE


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


@pytest.fixture
def tune(tmp_path: Path) -> SweepSpec:
    sources = small_study.write(tmp_path, 56)
    values = {name: sources[name] for name in ("dataset", "questions", "documents", "model")}
    return build(AdviseSpec, values).sweep("tune", 5, ("never", "single"), "")


def stages_after(spec: SweepSpec, digests: Mapping[str, str]) -> Stages:
    """Of a study that has finished the sweep of the tune split with contents of these digests."""
    tags = {STAGE: "tune", STAGE_KEY: stage_key(spec)}
    child = SimpleNamespace(
        info=SimpleNamespace(run_id="finished", status="FINISHED"),
        data=SimpleNamespace(tags=tags, params=dict(digests)),
    )
    run: Any = SimpleNamespace(run_id="advice")
    tracking: Any = SimpleNamespace(children=lambda run_id: [child])
    budget: Any = None
    here = {"corpus_digest": "documents here"}
    return Stages(AdviseSpec(), run, tracking, budget, ignore_progress, here)


def digests_of(spec: SweepSpec) -> dict[str, str]:
    questions = load_questions(build(QuestionSpec, shared_fields(spec, QuestionSpec)))
    return {"questions_digest": questions.digest, "corpus_digest": "documents here"}


def test_a_finished_stage_is_known_by_its_contents(
    tune: SweepSpec, caplog: pytest.LogCaptureFixture
) -> None:
    digests = digests_of(tune)
    assert stages_after(tune, digests)._finished("tune", tune) == "finished"

    others = {**digests, "corpus_digest": "documents of before"}
    assert stages_after(tune, others)._finished("tune", tune) == ""
    assert "tune: run finished is of other documents; it is done again" in caplog.text

    path = Path(tune.questions)
    path.write_text(path.read_text().replace("What is the", "What was the"))
    assert stages_after(tune, digests)._finished("tune", tune) == ""
    assert "tune: run finished is of other questions; it is done again" in caplog.text


def test_a_finished_stage_that_names_no_contents_is_taken_as_it_is(tune: SweepSpec) -> None:
    assert stages_after(tune, {})._finished("tune", tune) == "finished"
