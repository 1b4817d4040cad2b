"""What a run says was executed for it, beside the ledger of the call cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from builders import result_builders

from argo_ml.config import SweepSpec, build
from argo_ml.models.base import Completion, Generation, Prompt
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.scripted import ScriptedModel, Table
from argo_ml.sweep.accounting import (
    EXECUTED,
    PAID_FOR_CALLS,
    PRICE_OF_CALLS,
    UNSETTLED,
    account_for_dead,
    accounting,
    has_whole_ledger,
    log_executed,
    log_payment,
)
from argo_ml.sweep.executors.ray_cluster import is_this_machine
from argo_ml.tracking.names import logged_metrics
from argo_ml.tracking.runs import CALLS_ELSEWHERE, KIND, TrackedRun, Tracking, connect

EUROS = {
    "value_of_correct": "2",
    "price_per_retrieval": "0.1",
    "price_per_1m_prompt_tokens": "300",
    "price_unit": "EUR",
}
Execute = Callable[[TrackedRun, Sequence[int]], None]


class Killed(BaseException):
    """Ends a process in the middle of a call, as SIGKILL does."""


class MortalModel(ScriptedModel):
    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        if any(request.prompt.turn == "question -1" for request in requests):
            raise Killed
        return super().generate(requests)


@pytest.fixture
def tracking(tracking_uri: str) -> Tracking:
    return connect(tracking_uri, "argo_ml")


@pytest.fixture
def sweep(tracking: Tracking) -> TrackedRun:
    return tracking.create("a sweep", {KIND: "sweep"})


@pytest.fixture
def spec(tmp_path: Path) -> SweepSpec:
    return build(SweepSpec, {"cache_dir": tmp_path, "strategies": "never", **EUROS})


@pytest.fixture
def execute(spec: SweepSpec) -> Execute:
    """Execute questions for a run; its process is killed at -1."""

    def asked(run: TrackedRun, numbers: Sequence[int]) -> None:
        requests = [Generation(Prompt("s", f"question {number}"), 3) for number in numbers]
        model = MortalModel(Table(default="hash"))
        CachingModel(model, CallCache(spec.calls_path), run.run_id).generate(requests)

    return asked


def said(tracking: Tracking, run: TrackedRun) -> dict[str, float]:
    return dict(logged_metrics(tracking.get(run.run_id)))


def test_a_resumed_run_that_was_killed_is_brought_up_to_the_ledger(
    tracking: Tracking, sweep: TrackedRun, spec: SweepSpec, execute: Execute
) -> None:
    execute(sweep, [0, 1, 2])
    log_executed(sweep, spec)
    execute(sweep, [3, 4])
    with pytest.raises(Killed):
        execute(sweep, [-1])
    sweep.end("KILLED")

    account_for_dead(tracking, spec)

    assert said(tracking, sweep) == {EXECUTED: 5.0, UNSETTLED: 1.0}


def test_a_run_that_says_more_than_the_ledger_of_another_cache_is_left_alone(
    tracking: Tracking, sweep: TrackedRun, spec: SweepSpec, execute: Execute, tmp_path: Path
) -> None:
    execute(sweep, [0, 1, 2])
    log_executed(sweep, spec)
    sweep.end("KILLED")
    elsewhere = spec.model_copy(update={"cache_dir": tmp_path / "other"})
    CachingModel(
        MortalModel(Table(default="hash")), CallCache(elsewhere.calls_path), sweep.run_id
    ).generate([Generation(Prompt("s", "another"), 3)])

    account_for_dead(tracking, elsewhere)

    assert said(tracking, sweep) == {EXECUTED: 3.0, UNSETTLED: 0.0}


def test_what_machines_elsewhere_have_executed_is_not_said_and_stays_unknown(
    tracking: Tracking, sweep: TrackedRun, spec: SweepSpec, execute: Execute
) -> None:
    execute(sweep, [0])

    assert not has_whole_ledger(sweep, spec, executes_here=False)
    with accounting(sweep, spec):
        execute(sweep, [1])
    sweep.end("KILLED")
    account_for_dead(tracking, spec)

    assert sweep.tags[CALLS_ELSEWHERE] == "true"
    assert said(tracking, sweep) == {}


def test_what_a_worker_with_another_cache_executes_is_known_to_no_ledger(
    tracking: Tracking, spec: SweepSpec, execute: Execute, tmp_path: Path
) -> None:
    study = tracking.create("a study", {KIND: "study"})
    elsewhere = spec.model_copy(update={"cache_dir": tmp_path / "other"})

    assert has_whole_ledger(study, spec)
    with accounting(study, spec):
        execute(study, [0, 1])
        assert not has_whole_ledger(study, elsewhere)
        with accounting(study, elsewhere):
            pass

    assert study.tags[CALLS_ELSEWHERE] == "true"
    assert said(tracking, study) == {}


def test_a_cache_that_was_moved_has_the_ledger_that_it_had(
    sweep: TrackedRun, spec: SweepSpec, tmp_path: Path
) -> None:
    moved = spec.model_copy(update={"cache_dir": tmp_path / "moved"})
    assert has_whole_ledger(sweep, spec)
    moved.cache_path.mkdir()
    spec.calls_path.rename(moved.calls_path)

    assert has_whole_ledger(sweep, moved)
    assert CALLS_ELSEWHERE not in sweep.tags


def test_what_was_paid_elsewhere_is_not_stated_as_nothing(
    tracking: Tracking, sweep: TrackedRun, spec: SweepSpec, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    results = result_builders.results(spec, sweep.run_id)

    log_payment(sweep, spec, results, is_known=False)

    assert "what was paid is in the ledgers of the workers' machines" in caplog.text
    assert set(said(tracking, sweep)) == {PRICE_OF_CALLS}
    log_payment(sweep, spec, results)
    assert PAID_FOR_CALLS in said(tracking, sweep)


@pytest.mark.parametrize(("others", "is_alone"), [([], True), (["gpu-box"], False)])
def test_a_cluster_of_other_machines_has_caches_of_its_own(
    others: list[str], is_alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    nodes = [{"NodeManagerHostname": host, "Alive": True} for host in ("here", *others)]
    gone = {"NodeManagerHostname": "gone", "Alive": False}

    assert is_this_machine(SimpleNamespace(nodes=lambda: [*nodes, gone])) is is_alone
