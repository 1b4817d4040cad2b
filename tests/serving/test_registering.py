"""A version and its alias: all that is published is stored before anybody is answered by it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders.policy_files import published_at
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from argo_ml.config import PublishSpec, build
from argo_ml.errors import ConfigError, TrackingError
from argo_ml.serving import registering
from argo_ml.serving.published import PublishedPolicy, SweptPrice
from argo_ml.serving.registering import Registered, check_alias, register
from argo_ml.tracking.runs import Run, Tracking, connect

SWEPT = SweptPrice(
    retrieval_cost=0.1,
    strategy="single",
    accuracy=0.8,
    utility=0.7,
    retrieval_calls=1.0,
    retrieval_share=1.0,
)
PUBLISHED = published_at(SWEPT)


@pytest.fixture
def tracking(tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    """A store, with nothing but a name for every model that is logged there."""
    tracking = connect(tracking_uri, "argo_ml")
    monkeypatch.setattr(registering, "_log_model", lambda run_id, *_: logged(tracking, run_id))
    return tracking


def logged(tracking: Tracking, run_id: str) -> Any:
    model = tracking.client.create_logged_model(tracking.experiment_id, source_run_id=run_id)
    return SimpleNamespace(model_id=model.model_id, model_uri=model.model_uri, run_id=run_id)


def spec(**values: str) -> PublishSpec:
    return build(PublishSpec, {"name": "bot", **values})


def registered(
    tracking: Tracking, published: PublishedPolicy = PUBLISHED, **values: str
) -> Registered:
    record: Any = SimpleNamespace(tracking=tracking, run_id="sweep")
    return register(spec(**values), record, published, Path("policy"), [])


def last_run(tracking: Tracking) -> Run:
    return tracking.client.search_runs([tracking.experiment_id])[0]


def champion(tracking: Tracking) -> str:
    return registering.version_of_alias(tracking, "bot", "champion")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_version_that_has_the_alias_has_its_run_and_its_evidence(tracking: Tracking) -> None:
    assert champion(tracking) == ""
    published = registered(tracking)
    run = tracking.get(published.run_id)
    assert champion(tracking) == published.version == "1"
    assert (run.info.status, run.data.metrics["accuracy"]) == ("FINISHED", 0.8)


def test_its_evidence_stands_at_the_prices_of_the_sweep(tracking: Tracking) -> None:
    dear = SWEPT.model_copy(update={"retrieval_cost": 0.5, "accuracy": 0.6})
    own = {"prices": (SWEPT, dear), "default_price": 0.2}

    published = registered(tracking, PUBLISHED.model_copy(update=own))

    history = tracking.client.get_metric_history(published.run_id, "accuracy_by_price")
    assert sorted((point.step, point.value) for point in history) == [(100, 0.8), (500, 0.6)]
    known = tracking.client.get_logged_model(published.model_id).metrics
    of_model = {(metric.key, metric.step): metric.value for metric in known}
    assert of_model["accuracy_by_price", 500] == 0.6
    assert of_model["accuracy", 0] == 0.8


def test_an_interruption_while_the_model_is_logged_publishes_nothing(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(run_id: str, *_: object) -> Any:
        interrupt()
        return logged(tracking, run_id)

    monkeypatch.setattr(registering, "_log_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        registered(tracking)
    assert last_run(tracking).info.status == "KILLED"
    assert not tracking.client.search_registered_models()


def test_an_interruption_while_the_alias_is_set_comes_after_it(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_alias = MlflowClient.set_registered_model_alias

    def interrupted(*arguments: Any) -> None:
        interrupt()
        set_alias(*arguments)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", interrupted)
    with pytest.raises(KeyboardInterrupt):
        registered(tracking)
    assert (champion(tracking), last_run(tracking).info.status) == ("1", "FINISHED")


@pytest.mark.parametrize("call", ["log_batch", "create_model_version", "set_terminated"])
def test_the_alias_stays_where_anything_else_is_not_stored(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    registered(tracking)

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("database is gone")

    with monkeypatch.context() as patch, pytest.raises(TrackingError, match="database is gone"):
        patch.setattr(MlflowClient, call, refuse)
        registered(tracking, replace="true")
    assert champion(tracking) == "1"


def test_an_alias_that_another_takes_while_the_model_is_logged_is_left_to_it(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_model = registering._log_model

    def beaten(*arguments: Any) -> Any:
        monkeypatch.setattr(registering, "_log_model", log_model)
        registered(tracking)
        return log_model(*arguments)

    monkeypatch.setattr(registering, "_log_model", beaten)
    with pytest.raises(ConfigError, match=r"alias=champion of bot is version 1's; .* --replace"):
        registered(tracking)
    assert champion(tracking) == "1"
    assert len(tracking.client.search_model_versions("name = 'bot'")) == 1


def test_a_store_that_cannot_say_who_has_an_alias_is_no_leave_to_take_it(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(tracking)
    check_alias(tracking, spec(alias="another"))

    def refuse(*_: object) -> None:
        raise MlflowException("no permission", error_code=7)

    monkeypatch.setattr(MlflowClient, "get_model_version_by_alias", refuse)
    with pytest.raises(TrackingError, match="no permission"):
        check_alias(tracking, spec())
