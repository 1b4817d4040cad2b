"""A model server that was gone, and what is in the way of using it again."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.background import begin
from argo_ml.errors import ModelError
from argo_ml.serving import answering
from argo_ml.serving.answering import AnsweringService
from argo_ml.types import Question


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
