"""The hub as a server on loopback, with one model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from builders.loopback import serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "README.md": b"read me",
    "model.safetensors": b"weights",
    "consolidated.safetensors": b"the same weights once more",
    "pytorch_model.bin": b"the same weights",
    "onnx/model.safetensors": b"another format",
}


class Hub(ThreadingHTTPServer):
    """Serves one model; ``error`` is a status and the code the hub names it by."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(FILES)
        self.error: tuple[int, str] | None = None
        self.requested: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.server.requested.append(self.path)
        if self.server.error is not None:
            status, code = self.server.error
            self._send(status, b"", {"X-Error-Code": code})
        elif "/tree/" in self.path:
            tree = [
                {"type": "file", "path": name, "size": len(body), "oid": name}
                for name, body in self.server.files.items()
            ]
            self._send(200, json.dumps(tree).encode(), {})
        elif self.path.startswith("/api/models/"):
            files = self.server.files.items()
            siblings = [{"rfilename": name, "size": len(body)} for name, body in files]
            content = {"id": "org/name", "sha": COMMIT, "siblings": siblings}
            self._send(200, json.dumps(content).encode(), {})
        else:
            name = self.path.split(f"/resolve/{COMMIT}/")[1]
            headers = {"ETag": f'"{name}"', "X-Repo-Commit": COMMIT}
            self._send(200, self.server.files[name], headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at what was requested."""


@contextlib.contextmanager
def running() -> Iterator[Hub]:
    server = Hub()
    with serving(server):
        yield server


def use_own_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty hub cache; the library reads its place from the environment once, on import."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
