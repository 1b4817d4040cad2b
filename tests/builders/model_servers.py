"""Model servers as processes of their own on loopback, which tests may kill."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from argo_ml.config import ExperimentSpec
from argo_ml.models import LanguageModel, load_model
from argo_ml.testing.model_server import ServerSettings, serve_to
from builders import workers

START_S = 120


@dataclass(frozen=True)
class RunningServer:
    """``url`` is without the part of the path that says which server it plays."""

    url: str
    process: BaseProcess
    log: Path

    def completions(self) -> list[dict[str, Any]]:
        return [event for event in self._events() if "asked" in event]

    def asked(self) -> list[str]:
        """Digests of what was completed, in order."""
        return [event["asked"] for event in self.completions()]

    def troubles(self) -> set[str]:
        """Those that it has made."""
        return {event["trouble"] for event in self._events() if "trouble" in event}

    def _events(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]


StartServer = Callable[..., AbstractContextManager[RunningServer]]


@contextlib.contextmanager
def running(folder: Path, log: Path, **settings: Any) -> Iterator[RunningServer]:
    """A server of the model in ``folder``; ``settings`` are those of `Settings`."""
    context = workers.context()
    receiver, sender = context.Pipe(duplex=False)
    given = ServerSettings(str(folder), log=str(log), **settings)
    process = context.Process(target=serve_to, args=(sender, given), daemon=True)
    process.start()
    try:
        assert receiver.poll(START_S), "the model server did not start"
        yield RunningServer(receiver.recv(), process, log)
    finally:
        process.kill()
        process.join()


def open_model(*urls: str, name: str = "tiny", **fields: Any) -> LanguageModel:
    return load_model(ExperimentSpec(model=f"server:{name}", server_urls=urls, **fields))
