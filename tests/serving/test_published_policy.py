"""A policy published from a sweep: what it decides and answers, and what it is linked to."""

from __future__ import annotations

import json
import math
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pytest
from builders.places import copy_with_store
from builders.published_policy import EXPERIMENT, PublishedSweep
from builders.stored_sweep import StoredSweep
from mlflow import MlflowClient

from argo_ml.config import PublishSpec, build
from argo_ml.corpus import opening
from argo_ml.errors import ArgoError, ConfigError, ModelError
from argo_ml.serving import answering
from argo_ml.serving.loading import Policy, load_policy
from argo_ml.serving.publishing import publish

pytestmark = pytest.mark.slow

STRATEGY = "argo_calibrated"


@pytest.fixture(scope="module")
def policy(published_sweep: PublishedSweep) -> Policy:
    return load_policy(published_sweep.model, published_sweep.uri)


def token(seen: dict[str, float]) -> dict[str, float]:
    """One token that has the means of a recorded answer."""
    return {
        "logprob": seen["logprob"],
        "entropy": seen["entropy"],
        "gap": -math.log1p(-seen["margin"]),
    }


@pytest.mark.parametrize("price", [0.02, 0.1, 0.3])
def test_decisions_are_those_of_the_sweep(
    published_sweep: PublishedSweep, policy: Policy, price: float
) -> None:
    lines: Any = published_sweep.trajectories(STRATEGY, price)
    for line in lines.values():
        first = [step["action"] for step in line["steps"]][:1] or ["stop"]
        answer = line["steps"][0]["answer_before"] if line["steps"] else line["answer"]
        known = [token(line["seen"]["answer"])]
        decision = policy.decide(line["question"], answer, known, price)
        assert [decision.action] == first
        assert decision.retrieve == (first == ["retrieve"])


def test_answers_are_those_of_the_sweep_at_every_price(
    published_sweep: PublishedSweep, policy: Policy
) -> None:
    for cell in published_sweep.results.row(STRATEGY):
        lines: Any = published_sweep.trajectories(STRATEGY, cell.retrieval_cost)
        for row in cell.questions:
            question = lines[row.question_id]["question"]
            answered = policy.answer(question, price=cell.retrieval_cost)
            assert (answered.text, answered.actions) == (row.answer, row.actions)
            assert answered.cost == pytest.approx(row.cost)


def test_the_version_is_linked_to_the_runs_that_justify_it(
    published_sweep: PublishedSweep,
) -> None:
    client = MlflowClient(published_sweep.uri)
    version = client.get_model_version_by_alias("support-bot", "champion")
    assert version.tags["argo.sweep_id"] == published_sweep.sweep
    assert version.tags["argo.strategy"] == STRATEGY
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["argo.kind"] == "publish"


def test_the_model_holds_json_and_code_alone_and_pinned_requirements(
    published_sweep: PublishedSweep, tmp_path: Path
) -> None:
    import mlflow

    model = Path(
        mlflow.artifacts.download_artifacts(
            artifact_uri=published_sweep.model, dst_path=str(tmp_path)
        )
    )
    kept = {path.name for path in (model / "artifacts" / "policy").iterdir()}
    assert kept == {"policy.json", "calibration.json"}
    assert not list(model.rglob("*.pkl"))
    requirements = (model / "requirements.txt").read_text().split()
    assert any(line.startswith("mlflow==") for line in requirements)
    assert all("==" in line for line in requirements)
    assert (model / "input_example.json").exists()


def test_a_notebook_keeps_its_own_run_and_experiment(
    published_sweep: PublishedSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_with_store(published_sweep.folder, tmp_path / "copy")
    uri = f"sqlite:///{tmp_path / 'copy' / 'mlflow.db'}"
    monkeypatch.chdir(tmp_path)
    # What is set from here on is unset after the test.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("team")
    values = {"sweep": published_sweep.sweep, "tracking_uri": uri, "name": "another-bot"}

    with mlflow.start_run() as own:
        registered = publish(build(PublishSpec, values))
        active = mlflow.active_run()

    client = MlflowClient(uri)
    model = client.get_logged_model(registered.model_id)
    sweep = client.get_run(published_sweep.sweep)
    assert active is not None and active.info.run_id == own.info.run_id
    assert not client.search_logged_models(
        [own.info.experiment_id], filter_string=f"source_run_id = '{own.info.run_id}'"
    )
    assert model.experiment_id == sweep.info.experiment_id
    assert (model.source_run_id, str(model.status)) == (registered.run_id, "READY")
    assert model.params["sweep"] == published_sweep.sweep
    [output] = client.get_run(registered.run_id).outputs.model_outputs
    assert output.model_id == registered.model_id
    assert client.get_run(own.info.run_id).data.params == {}


def test_an_alias_of_another_version_is_not_taken_without_replace(
    published_sweep: PublishedSweep,
) -> None:
    values = {
        "sweep": published_sweep.sweep,
        "tracking_uri": published_sweep.uri,
        "experiment": EXPERIMENT,
        "name": "support-bot",
    }
    with pytest.raises(ConfigError, match=r"alias=champion .* version 1's; .* --replace"):
        publish(build(PublishSpec, values))


def test_a_sweep_that_does_not_verify_is_not_published(stored_sweep: StoredSweep) -> None:
    path = stored_sweep.artifact("results.json")
    content = json.loads(path.read_text())
    content["cells"][0]["metrics"]["accuracy"] = 0.123
    path.write_text(json.dumps(content))
    values = {"sweep": stored_sweep.sweep_id, "tracking_uri": stored_sweep.uri}
    with pytest.raises(ConfigError, match="does not verify and is not published"):
        publish(build(PublishSpec, values))
    assert not stored_sweep.client.search_registered_models()


def test_loading_takes_the_policy_alone_and_shows_nothing(
    published_sweep: PublishedSweep, capfd: pytest.CaptureFixture[str]
) -> None:
    assert load_policy(published_sweep.model, published_sweep.uri).published.prices
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (
            "models:/policy",
            r"names no version; take models:/policy@champion or",
        ),
        ("models:/nobody/1", r"policy=models:/nobody/1: cannot be loaded .*not found"),
        ("runs:/0123/model", r"policy=runs:/0123/model: cannot be loaded"),
        ("nowhere", r"nowhere holds no policy.json; publish one"),
    ],
)
def test_what_names_no_policy_is_said_in_one_line(
    published_sweep: PublishedSweep, uri: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load_policy(uri, published_sweep.uri)
    assert "\n" not in str(caught.value)


def test_another_model_is_no_policy(published_sweep: PublishedSweep, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "import mlflow\n"
        "class Echo(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, model_input: list[str]) -> list[str]:\n"
        "        return model_input\n"
        "mlflow.models.set_model(Echo())\n"
    )
    mlflow.set_tracking_uri(published_sweep.uri)
    code = str(tmp_path / "other.py")
    mlflow.pyfunc.log_model(name="echo", python_model=code, registered_model_name="echo")
    with pytest.raises(ConfigError, match="policy=models:/echo/1: holds no published policy"):
        load_policy("models:/echo/1", published_sweep.uri)


def test_a_strategy_that_did_not_run_is_refused(published_sweep: PublishedSweep) -> None:
    values = {"sweep": published_sweep.sweep, "tracking_uri": published_sweep.uri}
    with pytest.raises(ConfigError, match="strategy=flare did not run in sweep"):
        publish(build(PublishSpec, {**values, "name": "other", "strategy": "flare"}))


def test_documents_that_are_gone_are_said_and_used_again_once_they_are_back(
    published_sweep: PublishedSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved, documents = tmp_path / "elsewhere", tmp_path / "documents"
    shutil.copytree(published_sweep.folder / "documents", moved)
    monkeypatch.setenv("ARGO_ML_DOCUMENTS", str(documents))
    policy = load_policy(published_sweep.model, published_sweep.uri)
    with pytest.raises(ArgoError, match=r"documents=.*"):
        policy.answer("What is the capital of Land1?")
    moved.rename(documents)
    assert policy.answer("What is the capital of Land1?").text


def test_other_documents_than_those_of_the_sweep_are_refused_before_they_are_embedded(
    published_sweep: PublishedSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.txt").write_text("Something else altogether.")
    monkeypatch.setenv("ARGO_ML_DOCUMENTS", str(tmp_path))
    monkeypatch.setattr(opening, "open_or_build", pytest.fail)
    policy = load_policy(published_sweep.model, published_sweep.uri)
    with pytest.raises(ArgoError, match="this policy was made with another corpus"):
        policy.answer("What is the capital of Land1?")


def test_a_question_that_breaks_its_batch_fails_alone(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, bad, good = (f"What is the capital of Land{n}?" for n in (1, 2, 3))
    batches: list[list[str]] = []
    is_waiting, may_go_on = threading.Event(), threading.Event()

    def run(jobs: Any, context: Any) -> Any:
        batches.append([job.question.text for job in jobs])
        if len(batches) == 1:
            is_waiting.set()
            assert may_go_on.wait(60)
        if bad in batches[-1]:
            raise ModelError("the model does not like it")
        return run_jobs(jobs, context)

    run_jobs = answering._run
    monkeypatch.setattr(answering, "_run", run)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(policy.answer, first)]
        assert is_waiting.wait(60)
        asked += [pool.submit(policy.answer, bad), pool.submit(policy.answer, good)]
        while policy._answers._thread._waiting.qsize() < 2:
            time.sleep(0.01)
        may_go_on.set()
        assert asked[0].result().text
        with pytest.raises(ModelError, match="does not like it"):
            asked[1].result()
        assert asked[2].result().text
    assert sorted(map(sorted, batches)) == sorted(
        map(sorted, [[first], [bad, good], [bad], [good]])
    )
