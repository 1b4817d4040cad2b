"""A proxy of the environment is not asked for what this machine serves itself."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from argo_ml.addresses import Address
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.engines.process import Command, EngineProcess
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.wire import Version

ONCE = RetryPolicy(timeout_s=5, max_retries=0)


class _Listening(ThreadingHTTPServer):
    """Answers with its version, and keeps which paths were asked for with which key."""

    def __init__(self, version: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = f'{{"version": "{version}"}}'.encode()
        self.asked: list[tuple[str, str | None]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Listening

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, format: str, *args: object) -> None:
        """Standard error is the caller's."""


@pytest.fixture
def listening() -> Iterator[dict[str, _Listening]]:
    servers = {name: _Listening(name) for name in ("proxy", "model")}
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield servers
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def proxied(listening: dict[str, _Listening], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    port = listening["proxy"].server_address[1]
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")


def version_at(host: str, port: int) -> str:
    server = Server(Address(f"http://{host}:{port}"), "k3y", ONCE)
    return Fleet([server], ONCE).request("/version", None, Version).version


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_key_of_a_loopback_server_goes_past_the_proxy(
    listening: dict[str, _Listening], host: str
) -> None:
    assert version_at(host, listening["model"].server_address[1]) == "model"
    assert listening["model"].asked == [("/version", "Bearer k3y")]
    assert listening["proxy"].asked == []


def test_another_host_is_asked_through_the_proxy(listening: dict[str, _Listening]) -> None:
    assert version_at("model.invalid", 80) == "proxy"


@pytest.fixture
def socks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that needs a package which is not there."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://me:s3cret-w0rd@127.0.0.1:1")


def test_a_loopback_server_needs_no_package_for_the_proxy(
    listening: dict[str, _Listening], socks: None
) -> None:
    assert version_at("127.0.0.1", listening["model"].server_address[1]) == "model"


@pytest.mark.parametrize("named", ["model.invalid", ".invalid", "*"])
def test_a_server_that_no_proxy_names_needs_none(
    listening: dict[str, _Listening], socks: None, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("no_proxy", named)
    with pytest.raises(ModelError, match=r"model\.invalid.*cannot be reached"):
        version_at("model.invalid", 80)
    assert listening["proxy"].asked == []


@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    socks: None, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://me:s3cret-w0rd@127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"^ALL_PROXY: names no .*pip install socksio") as caught:
        version_at("model.invalid", 80)
    assert "s3cret" not in str(caught.value)


def test_a_started_engine_is_ready_although_there_is_a_proxy(
    listening: dict[str, _Listening],
) -> None:
    port = int(listening["model"].server_address[1])
    process = EngineProcess(Command("engine=test", ["sleep", "60"], port, ready_s=5))
    try:
        process.make_ready()
        assert listening["model"].asked == [("/health", None)]
        assert listening["proxy"].asked == []
    finally:
        process.close()
