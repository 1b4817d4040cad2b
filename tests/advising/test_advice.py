"""A whole advice with a scripted model and a real MLflow store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import small_study
from builders.places import at_work_in
from mlflow import MlflowClient

import argo_ml
from argo_ml.advising import budget, running
from argo_ml.advising.checking import check_data
from argo_ml.advising.running import run_advice
from argo_ml.advising.stages import opened
from argo_ml.advising.stored import verify, write_report
from argo_ml.advising.storing import write_advice
from argo_ml.cli.rendering.advice import print_advice
from argo_ml.config import AdviseSpec, ReportSpec, VerifySpec, build
from argo_ml.errors import ConfigError, DataError, ModelError, StoppedError
from argo_ml.evaluation.advice import Advice
from argo_ml.progress import ignore_progress
from argo_ml.results.artifacts import ADVICE, REPORT_PAGE
from argo_ml.tracking.runs import KIND, NOTE, PARENT, STAGE, TrackedRun, connect
from argo_ml.verification.verdict import Verdict

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("quick_figures_of_module", "quick_figures"),
]
MOST_CALLS = "250"
KINDS = ("capital", "currency")
OTHERS = ("split", "n_questions", "n_prices", "strategies", "max_steps", "traces")


def parameters(folder: Path, n_more_countries: int = 56) -> dict[str, str]:
    sources = small_study.write(folder, n_more_countries)
    kept = {name: value for name, value in sources.items() if name not in OTHERS}
    sizes = {"n_calibration": "10", "n_tune": "10", "n_test": "12", "max_steps": "2"}
    return {**kept, **sizes, "retrieval_costs": "0.05,0.3", "explorations": "0"}


@pytest.fixture(scope="module")
def shared(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("advised")
    with at_work_in(folder, warm_cache, empty_store) as places:
        # As they are given on a command line.
        sources = {"questions": "questions.jsonl", "documents": "documents"}
        yield {**parameters(folder), **sources, **places}


@pytest.fixture(scope="module")
def cut(shared: dict[str, str]) -> Advice:
    """What was seen when so few calls were allowed that the test split was not reached."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "LOOKS_EVERY_S", 0.0)
        return run_advice(spec(shared, max_calls=MOST_CALLS))


@pytest.fixture(scope="module")
def finished(shared: dict[str, str], cut: Advice) -> Advice:
    return run_advice(build(AdviseSpec, going_on(shared, cut)))


def spec(values: dict[str, str], **others: Any) -> AdviseSpec:
    return build(AdviseSpec, {**values, **others})


def going_on(values: dict[str, str], advice: Advice) -> dict[str, str]:
    return {"tracking_uri": values["tracking_uri"], "resume": advice.advice_id}


def test_every_retriever_over_the_documents_is_looked_at(finished: Advice) -> None:
    assert finished.data is not None
    rates = finished.data.hit_rates
    assert set(rates) == {"dense", "bm25", "hybrid"}
    assert rates["dense"] == finished.data.hit_rate
    assert rates["bm25"] > 0.5


def test_a_budget_ends_it_with_what_was_seen(shared: dict[str, str], cut: Advice) -> None:
    assert cut.judged_on in ("calibration", "tune")
    assert not cut.is_complete
    assert any(f"max_calls={MOST_CALLS}" in why for why in cut.cut.values())
    assert cut.go_on == f"argo-ml advise --resume {cut.advice_id}"
    stored = MlflowClient(shared["tracking_uri"]).get_run(cut.advice_id)
    assert stored.info.status == "FINISHED"


def test_it_goes_on_to_the_test_split_under_the_same_run(
    shared: dict[str, str], cut: Advice, finished: Advice
) -> None:
    client = MlflowClient(shared["tracking_uri"])
    assert (finished.advice_id, finished.judged_on) == (cut.advice_id, "test")
    assert finished.sizes == {"calibration": 10, "tune": 10, "test": 12}
    assert finished.is_complete
    for stage, run_id in finished.runs.items():
        child = client.get_run(run_id)
        assert (child.data.tags[STAGE], child.info.status) == (stage, "FINISHED")
        assert child.data.tags[PARENT] == finished.advice_id
    children = connect(shared["tracking_uri"], "argo_ml").children(finished.advice_id)
    ended = [own.data.tags[STAGE] for own in children if own.info.status == "FINISHED"]
    assert sorted(ended) == sorted(set(ended))
    assert client.get_run(finished.advice_id).data.tags[KIND] == "advice"
    experiment = client.get_experiment(client.get_run(finished.advice_id).info.experiment_id)
    assert "[latest advice](" in experiment.tags[NOTE]
    assert list(Path(shared["cache_dir"], "sweeps").iterdir()) == []


def test_stages_of_other_documents_are_not_taken_over(
    shared: dict[str, str], finished: Advice
) -> None:
    own, tracking = spec(shared), connect(shared["tracking_uri"], "argo_ml")
    tune = own.sweep("tune", 10, own.policies, finished.calibration_run)
    run = TrackedRun(tracking.client, finished.advice_id)
    budget: Any = None

    def known(corpus_digest: str) -> str:
        stages = opened(own, run, tracking, lambda _: budget, ignore_progress, corpus_digest)
        return stages._finished("tune", tune)

    assert finished.data is not None
    assert known(finished.data.corpus_digest) == finished.runs["tune"]
    assert known("of other documents") == ""


def test_until_decided_says_what_is_known_however_often_one_looks(
    shared: dict[str, str], finished: Advice
) -> None:
    advice = run_advice(spec(shared, until="decided"))

    *usual, stopped = advice.sentences
    assert tuple(usual) == finished.sentences
    assert stopped.startswith("All 12 questions were asked, which leaves ")
    assert "a chance of at most 5 %, at all prices and however often one looks" in stopped


def test_what_is_stored_is_what_is_shown(
    shared: dict[str, str],
    finished: Advice,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracking = connect(shared["tracking_uri"], "argo_ml")
    path = tracking.download(finished.advice_id, ADVICE, tmp_path)
    assert Advice.model_validate_json(path.read_bytes()) == finished
    page = tracking.download(finished.advice_id, REPORT_PAGE, tmp_path).read_text()
    assert "What to do at which price of a retrieval" in page

    monkeypatch.setenv("COLUMNS", "200")
    print_advice(finished)

    shown = capsys.readouterr().out
    assert finished.sentences[0] in shown
    assert "judged on the test split" in shown
    assert "by retriever: bm25" in shown
    assert finished.data is not None
    assert all(concern in shown for concern in finished.data.concerns)


def test_python_returns_a_row_per_price(shared: dict[str, str], finished: Advice) -> None:
    result = argo_ml.advise(**going_on(shared, finished), progress=False)

    assert result.advice == finished
    assert list(result.to_frame()["price"]) == [0.05, 0.3]
    assert finished.sentences[0] in result._repr_html_()


def test_an_advice_and_its_calibration_are_loaded_by_their_runs(
    shared: dict[str, str], finished: Advice
) -> None:
    uri = shared["tracking_uri"]
    assert argo_ml.load_results(finished.advice_id, tracking_uri=uri).advice == finished
    calibrated = argo_ml.load_results(finished.calibration_run, tracking_uri=uri)
    assert calibrated.run_id == finished.calibration_run
    assert calibrated.to_frame()["question_id"].nunique() == finished.sizes["calibration"]
    assert calibrated.metrics["lm_calls_total"] > 0


def test_a_complete_advice_is_shown_again(shared: dict[str, str], finished: Advice) -> None:
    assert run_advice(build(AdviseSpec, going_on(shared, finished))) == finished


def test_its_report_is_written_again(
    shared: dict[str, str], finished: Advice, tmp_path: Path
) -> None:
    values = {"sweep": finished.advice_id, "output": str(tmp_path / "again.html")}
    spec = build(ReportSpec, {**values, "tracking_uri": shared["tracking_uri"]})

    assert write_report(spec) == finished.advice_id

    page = (tmp_path / "again.html").read_text()
    assert finished.sentences[0] in page
    assert f"argo-ml report --sweep {finished.advice_id}<" in page


def test_cells_that_an_advice_does_not_have_are_not_drawn(
    shared: dict[str, str], finished: Advice
) -> None:
    values = {"sweep": finished.advice_id, "cells": True}

    with pytest.raises(ConfigError, match=f"give the .* as sweep={finished.runs['test']}"):
        write_report(build(ReportSpec, {**values, "tracking_uri": shared["tracking_uri"]}))


def failed_but_for_graphs(spec: VerifySpec) -> list[Verdict]:
    """Figures are not drawn here."""
    failed = [own for own in verify(spec) if own.has_failed]
    return [own for own in failed if not own.name.endswith(": graphs")]


def test_it_is_verified_with_the_runs_that_it_rests_on(
    shared: dict[str, str], finished: Advice
) -> None:
    spec = build(VerifySpec, {"sweep": finished.advice_id, "tracking_uri": shared["tracking_uri"]})
    assert {own.name for own in verify(spec)} >= {"finished", "calibration", "advice"}
    assert not failed_but_for_graphs(spec)

    tracking = connect(shared["tracking_uri"], "argo_ml")
    changed = finished.prices[0].model_copy(update={"strategy": "another"})
    wrong = finished.model_copy(update={"prices": (changed, *finished.prices[1:])})
    run = TrackedRun(tracking.client, finished.advice_id)
    write_advice(wrong, run)
    try:
        [failed] = failed_but_for_graphs(spec)
    finally:
        write_advice(finished, run)
    assert failed.name == "advice"
    assert "at 0.05 it says another" in failed.detail


def test_a_second_advice_calls_no_model(shared: dict[str, str], finished: Advice) -> None:
    again = run_advice(spec(shared, max_calls="1"))

    assert again.is_complete
    assert again.ranges == finished.ranges


def test_reading_questions_and_documents_counts_to_the_minutes(
    shared: dict[str, str], finished: Advice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_slowly(*asked: Any) -> Any:
        data, now = check_data(*asked), time.monotonic
        monkeypatch.setattr("argo_ml.advising.budget.time.monotonic", lambda: now() + 3600)
        return data

    monkeypatch.setattr(running, "check_data", check_slowly)
    with pytest.raises(StoppedError, match=r"max_minutes=30: 6\d\.\d minutes are spent"):
        run_advice(spec(shared, max_minutes="30"))


def test_an_advice_in_the_users_unit(shared: dict[str, str], finished: Advice) -> None:
    prices = {
        "value_of_correct": "2",
        "price_per_retrieval": "0.1,0.4,1",
        "price_per_1m_prompt_tokens": "500",
        "price_unit": "EUR",
        "retrieval_costs": "",
        "policies": "never,single,argo_fitted",
    }

    advice = run_advice(spec(shared, **prices))

    assert [at.retrieval_cost for at in advice.prices] == [0.05, 0.2, 0.5]
    assert (advice.unit.name, advice.unit.stake) == ("EUR", 2.0)
    assert "EUR per retrieval" in advice.sentences[0]


def test_too_few_questions_are_refused_with_how_many_are_needed(
    tmp_path: Path, cache_dir: Path, tracking_uri: str
) -> None:
    values = parameters(tmp_path, n_more_countries=4)
    sizes = {"n_calibration": "", "n_tune": "", "n_test": ""}
    with pytest.raises(DataError, match=r"needs 10 to calibrate on \(\d here; \d\d more questions"):
        run_advice(spec(values, **sizes, cache_dir=str(cache_dir), tracking_uri=tracking_uri))


def test_questions_of_which_the_beginning_alone_is_searched_for_are_told(
    tmp_path: Path, cache_dir: Path
) -> None:
    values = {**parameters(tmp_path), "cache_dir": str(cache_dir)}
    ids = [f"{name}-{kind}" for name in small_study.more_facts(56) for kind in KINDS]
    small_study.lengthen(values, *ids)

    concerns = check_data(spec(values), ignore_progress).concerns

    [told] = [own for own in concerns if "longer than" in own]
    assert told.startswith("32 of 32 questions are longer than the 256 tokens that all-minilm-l6-v")
    assert told.endswith(": retriever=bm25 reads all of them.")


def test_a_budget_that_nothing_can_be_seen_with_says_so(
    tmp_path: Path, cache_dir: Path, tracking_uri: str
) -> None:
    values = {**parameters(tmp_path), "cache_dir": str(cache_dir), "tracking_uri": tracking_uri}
    with pytest.raises(StoppedError, match=r"max_calls=1: .* before 10 questions were explored"):
        run_advice(spec(values, max_calls="1"))
    [advice] = [
        run
        for run in connect(tracking_uri, "argo_ml").in_status("KILLED")
        if run.data.tags[KIND] == "advice"
    ]
    assert "nothing can be advised yet" in advice.data.tags["argo.error"]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"policies": "never,argo_fitted"}, "policies=never,argo_fitted lacks single, .* name"),
        ({"policies": "nver,single"}, "strategy='nver' is unknown; did you mean 'never'"),
        ({"policies": "never,single,oracle"}, "oracle knows the answers"),
        ({"retrieval_costs": "0.1,0.1"}, "repeats a value"),
        ({"split": "test"}, "all three are used"),
        ({"max_minutes": "-1"}, "max_minutes=-1"),
    ],
)
def test_bad_values_are_named(values: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        run_advice(build(AdviseSpec, values))


def test_a_model_that_is_not_there_is_known_before_the_documents_are_read(
    shared: dict[str, str],
) -> None:
    nowhere = {"model": "smollm2-135m", "cache_dir": "none", "documents": "nowhere"}
    with pytest.raises(ModelError, match=r"model=smollm2-135m: not in .*; run argo-ml fetch"):
        run_advice(spec(shared, **nowhere))
