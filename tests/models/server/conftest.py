from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from builders import llama_servers, model_servers
from builders.llama_servers import LlamaServer
from builders.model_servers import RunningServer, StartServer

from argo_ml.addresses import KEY_VARIABLES
from argo_ml.config import ExperimentSpec


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def served(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The tiny model behind a server that nothing goes wrong with."""
    log = tmp_path_factory.mktemp("served") / "log"
    with model_servers.running(tiny_folder, log) as server:
        yield server


@pytest.fixture(scope="session")
def llama(llama_spec: ExperimentSpec) -> Iterator[LlamaServer]:
    """The tiny model behind llama.cpp's own server that nothing goes wrong with."""
    with llama_servers.running(llama_spec) as server:
        yield server


@pytest.fixture
def start_server(tiny_folder: Path, tmp_path: Path) -> StartServer:
    """A server of the test's own; takes the fields of `Settings`."""

    def start(name: str = "log", **settings: Any) -> AbstractContextManager[RunningServer]:
        return model_servers.running(tiny_folder, tmp_path / name, **settings)

    return start
