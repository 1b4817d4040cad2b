"""The process that reads documents, where the system refuses to limit it."""

from __future__ import annotations

import resource

import pytest

from argo_ml.corpus.readers import worker


def test_a_limit_that_the_system_refuses_is_left_to_the_process_that_watches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)

    worker._limit_memory(1536)
    worker._limit_seconds(60.0)
