"""Servers that a model has started, as processes which tests may stop and kill."""

from __future__ import annotations

from typing import Any

import psutil

from argo_ml.models.deferred import load_now
from argo_ml.models.engines.opening import EngineServer
from argo_ml.models.engines.process import EngineProcess


def process_of(model: Any) -> EngineProcess:
    started: Any = load_now(model)
    [server] = started._prompting.fleet._servers
    assert isinstance(server, EngineServer)
    return server._process


def server_of(model: Any) -> psutil.Process:
    """The server itself, below the guard."""
    [guard] = process_of(model)._holder
    [server] = psutil.Process(guard.pid).children()
    return server
