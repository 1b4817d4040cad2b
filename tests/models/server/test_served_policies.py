"""A published policy whose model is on a server that dies, and whose documents go away."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from builders import small_study
from builders.places import at_work_in
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from argo_ml.config import PublishSpec, SweepSpec, build
from argo_ml.serving.publishing import publish
from argo_ml.sweep.running import run_sweep
from argo_ml.testing.model_server import ModelServer, ServerSettings

pytestmark = pytest.mark.slow


class MortalServer(ModelServer):
    """Leaves nothing open when it ends, like a process that was killed."""

    def __init__(self, folder: Path, port: int) -> None:
        self._open: list[Any] = []
        super().__init__(ServerSettings(str(folder)), port)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.append(request)
        super().process_request(request, client_address)

    def die(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Server:
    """The tiny model behind a port that it can leave and come back to."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, 0

    def start(self) -> str:
        self._server = MortalServer(self._folder, self.port)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self._server.url

    def die(self) -> None:
        self._server.die()


@dataclass(frozen=True)
class Served:
    uri: str
    client: TestClient
    server: Server
    documents: Path

    def ask(self, question: str) -> tuple[int, dict[str, Any]]:
        body = {"input": [{"role": "user", "content": question}]}
        answer = self.client.post("/invocations", json=body)
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def served(
    tiny_folder: Path,
    warm_cache: Path,
    empty_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    folder, server = tmp_path_factory.mktemp("on-a-server"), Server(tiny_folder)
    sources = small_study.write(folder, with_choices=False)
    model = {"model": "server:tiny", "server_urls": f"{server.start()}/vllm/v1", "max_retries": "1"}
    asked = {"strategies": "never,single", "n_prices": "1", "n_questions": "2"}
    with at_work_in(folder, warm_cache, empty_store) as places:
        results = run_sweep(build(SweepSpec, {**sources, **model, **asked, **places}))
        where = {"sweep": results.sweep_id, "tracking_uri": places["tracking_uri"]}
        registered = publish(build(PublishSpec, {**where, "name": "far", "strategy": "single"}))
        mlflow.set_tracking_uri(places["tracking_uri"])
        client, documents = client_of(registered.uri), Path(sources["documents"])
        yield Served(registered.uri, client, server, documents)
        server.die()


def client_of(uri: str) -> TestClient:
    return TestClient(scoring_server.init(mlflow.pyfunc.load_model(uri)))


def test_a_model_server_that_dies_gives_one_line_and_is_used_again_once_it_is_back(
    served: Served,
) -> None:
    assert served.ask("What is the capital of Ardenia?")[0] == 200

    served.server.die()
    status, answer = served.ask("What is the capital of Borland, please?")
    assert status == 503
    assert "127.0.0.1" in answer["message"]
    assert "\n" not in answer["message"]

    served.server.start()
    assert served.ask("What is the capital of Borland, please?")[0] == 200


def test_what_is_cached_is_answered_while_the_server_is_down(served: Served) -> None:
    assert served.ask("What is the currency of Cassia?")[0] == 200
    served.server.die()
    try:
        assert served.ask("What is the currency of Cassia?")[0] == 200
        assert served.ask("What is the currency of Dravia, please?")[0] == 503
        assert served.ask("What is the currency of Cassia?")[0] == 200
    finally:
        served.server.start()


def test_documents_that_are_gone_give_one_line_until_they_are_back(served: Served) -> None:
    assert served.ask("What is the currency of Cassia?")[0] == 200
    away = served.documents.with_name("elsewhere")
    served.documents.rename(away)
    # What is open stays so.
    assert served.ask("What is the currency of Dravia, please?")[0] == 200
    served = replace(served, client=client_of(served.uri))

    status, answer = served.ask("What is the currency of Dravia, please?")
    assert status == 503
    assert "documents" in answer["message"]
    assert "\n" not in answer["message"]

    away.rename(served.documents)
    assert served.ask("What is the currency of Dravia, please?")[0] == 200
