"""What is in the way of answering: when the server starts, and once a model server was gone."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.background import begin
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.deferred import DeferredModel
from argo_ml.serving import answering
from argo_ml.serving.answering import AnsweringService
from argo_ml.types import Question


def test_what_cannot_be_opened_is_said_when_the_server_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise ConfigError("this policy was made with another corpus")

    monkeypatch.setattr(answering.LocalContext, "open_for", refuse)
    policy: Any = SimpleNamespace(
        published=SimpleNamespace(decides_only=False), spec=None, calibration=None
    )
    service = AnsweringService(policy)
    service.open_ahead()
    service._thread.join(10)
    assert "nothing can be answered yet: this policy was made with another" in caplog.text


def test_a_model_that_was_loaded_before_is_loaded_ahead_of_the_first_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: Any = SimpleNamespace(identity="m")
    model: Any = DeferredModel("m", lambda: loaded)
    opened = SimpleNamespace(model=model)
    monkeypatch.setattr(answering.LocalContext, "open_for", lambda *_, **__: opened)
    policy: Any = SimpleNamespace(
        published=SimpleNamespace(decides_only=False), spec=None, calibration=None
    )
    service = AnsweringService(policy)
    service.open_ahead()
    service._thread.join(10)
    assert model.is_loaded


@pytest.mark.parametrize(("decides_only", "variable"), [(True, "true"), (False, "false")])
def test_nothing_is_opened_ahead_of_decisions_alone_or_where_it_is_not_wanted(
    decides_only: bool,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened: list[object] = []
    monkeypatch.setattr(AnsweringService, "_try_opening", opened.append)
    monkeypatch.setenv("ARGO_ML_OPEN_AHEAD", variable)
    policy: Any = SimpleNamespace(published=SimpleNamespace(decides_only=decides_only))
    service = AnsweringService(policy)
    service.open_ahead()
    assert service._thread.join(10)
    assert not opened


def test_a_request_fails_where_reconnecting_fails_and_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(spec: Any) -> Any:
        raise OSError("too many open files")

    monkeypatch.setattr(answering, "load_model", load)
    policy: Any = SimpleNamespace(
        published=SimpleNamespace(decides_only=False), policies=SimpleNamespace(at=lambda _: None)
    )
    gone: Any = SimpleNamespace(identity="model")
    context: Any = SimpleNamespace(
        model=answering._AbsentServer(gone, ModelError("gone")), spec=None
    )
    price: Any = None
    service = AnsweringService(policy)
    service._context = context
    with pytest.raises(OSError, match="too many open files"):
        begin("asks", partial(service.answer, Question("q", "Why?"), price)).result(10)
