"""A small server with OpenAI's interface on loopback, and whatever can go wrong with one.

``python -m argo_ml.testing.model_server FOLDER`` serves a Transformers folder. The first part of a
path says which server it plays: ``/vllm`` applies its chat template and gives log-probabilities of
prompts, ``/llamacpp`` does the first alone, ``/chat`` neither. All give those of the tokens that
they generate, each in its own shape.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from argo_ml.testing.served_model import Drawing, ServedModel, ServedToken

Body = dict[str, Any]
TROUBLES = ("500", "429", "html", "json", "hangup", "silence")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server behaves.

    Of every ``fail_every`` POST requests the last one fails, in turn by each of ``troubles``.

    A completion takes ``delay_s`` longer; the process ends at the one after ``die_after``. ``key``
    is demanded where it is set. At most ``most_top`` of the most probable tokens are told at each
    place of an answer; more are refused. It tells of a ``context``, unless that is 0. ``log`` gets
    a JSON line for every trouble, and for every completion that was sent: what was asked, and the
    most that were under way until then.
    """

    folder: str
    name: str = "tiny"
    fail_every: int = 0
    troubles: tuple[str, ...] = TROUBLES
    silence_s: float = 2.0
    delay_s: float = 0.0
    die_after: int = 0
    key: str = ""
    most_top: int = 20
    context: int = 0
    log: str = ""


class Refusal(Exception):
    """An HTTP status and what to say with it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ModelServer(ThreadingHTTPServer):
    """Listens on a free port, or on ``port``."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, settings: ServerSettings, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.settings = settings
        self.model = ServedModel(Path(settings.folder))
        self.n_running = self.n_most = 0
        self._posts, self._completions = itertools.count(1), itertools.count(1)
        self._troubles = itertools.cycle(settings.troubles)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_trouble(self) -> str:
        with self._lock:
            every = self.settings.fail_every
            return next(self._troubles) if every and next(self._posts) % every == 0 else ""

    @contextlib.contextmanager
    def completing(self) -> Iterator[None]:
        with self._lock:
            if next(self._completions) == self.settings.die_after + 1 > 1:
                os._exit(1)
            self.n_running += 1
            self.n_most = max(self.n_most, self.n_running)
        try:
            time.sleep(self.settings.delay_s)
            yield
        finally:
            with self._lock:
                self.n_running -= 1

    def note_completion(self, body: Body) -> None:
        body_digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        self.note({"asked": body_digest, "most": self.n_most})

    def note(self, event: Body) -> None:
        if self.settings.log:
            with self._lock, Path(self.settings.log).open("a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")


class _Handler(BaseHTTPRequestHandler):
    """One request, one JSON answer."""

    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        trouble = self.server.next_trouble()
        if trouble:
            self._fail(trouble)
        else:
            self._answer(body)

    def log_message(self, format: str, *args: object) -> None:
        """Standard error is the caller's."""

    def _answer(self, body: Body) -> None:
        try:
            content = _dispatch(self, body)
            self._send(200, content)
            if "choices" in content:
                self.server.note_completion(body)
        except Refusal as refusal:
            self._send(refusal.status, {"error": {"message": str(refusal)}})

    def _fail(self, trouble: str) -> None:
        self.server.note({"trouble": trouble})
        if trouble in ("hangup", "silence"):
            time.sleep(self.server.settings.silence_s if trouble == "silence" else 0)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif trouble == "html":
            self._send(200, "<html><body>Bad Gateway</body></html>")
        elif trouble == "json":
            self._send(200, {"unexpected": True})
        else:
            self._send(int(trouble), {"error": {"message": "try again"}}, {"Retry-After": "0"})

    def _send(
        self, status: int, content: Body | str, headers: dict[str, str] | None = None
    ) -> None:
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _dispatch(handler: _Handler, body: Body) -> Body:
    server = handler.server
    sent = handler.headers.get("Authorization", "")
    if server.settings.key and sent != f"Bearer {server.settings.key}":
        raise Refusal(401, f"wrong key: {sent}")
    _, kind, path = handler.path.split("/", 2)
    handle = _KINDS.get(kind, {}).get(path)
    if handle is None:
        raise Refusal(404, f"{handler.path} is not here")
    if body.get("model", server.settings.name) != server.settings.name:
        raise Refusal(404, f"The model `{body['model']}` does not exist.")
    return handle(server, body)


def _models(server: ModelServer, body: Body) -> Body:
    context = {"max_model_len": server.settings.context} if server.settings.context else {}
    return {"data": [{"id": server.settings.name, "owned_by": "test", **context}]}


def _version(server: ModelServer, body: Body) -> Body:
    return {"version": "1.2.3"}


def _tokenize(server: ModelServer, body: Body) -> Body:
    """As vLLM does: a chat, or a plain text."""
    if "messages" in body:
        text = server.model.render(body["messages"], body["continue_final_message"])
    else:
        text = body["prompt"]
    return {"tokens": server.model.encode(text)}


def _detokenize(server: ModelServer, body: Body) -> Body:
    return {"prompt": server.model.decode(body["tokens"])}


def _tokenize_content(server: ModelServer, body: Body) -> Body:
    return {"tokens": server.model.encode(body["content"])}


def _apply_template(server: ModelServer, body: Body) -> Body:
    return {"prompt": server.model.render(body["messages"])}


def _complete_with_echo(server: ModelServer, body: Body) -> Body:
    if not body.get("echo"):
        return _complete(server, body)
    with server.completing():
        choices = [
            {"index": index, "text": "", "logprobs": {"token_logprobs": _echoed(server, ids)}}
            for index, ids in enumerate(_prompts(server, body))
        ]
    return {"choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 0}}


def _echoed(server: ModelServer, ids: Sequence[int]) -> list[float | None]:
    """With one for the generated token, which nobody reads."""
    return [*server.model.log_likelihoods(ids), 0.0]


def _complete(server: ModelServer, body: Body) -> Body:
    """As vLLM does, and OpenAI did before it had chats."""
    [ids] = _prompts(server, body)
    return _continue(
        server, body, ids, body.get("logprobs", 0), lambda text: {"text": text}, _listed_apart
    )


def _complete_without_echo(server: ModelServer, body: Body) -> Body:
    """As the llama.cpp server does: log-probabilities in the shape of a chat's."""
    if body.get("echo"):
        raise Refusal(400, "Only no echo is supported")
    [ids] = _prompts(server, body)
    return _continue(
        server, body, ids, body.get("logprobs", 0), lambda text: {"text": text}, _listed
    )


def _chat(server: ModelServer, body: Body) -> Body:
    ids = server.model.encode(server.model.render(body["messages"]))
    n_top = body["top_logprobs"] if body.get("logprobs") else 0
    return _continue(server, body, ids, n_top, lambda text: {"message": {"content": text}}, _listed)


def _continue(
    server: ModelServer,
    body: Body,
    ids: list[int],
    n_top: int,
    shape: Callable[[str], Body],
    list_tokens: Callable[[Sequence[ServedToken]], Body],
) -> Body:
    limit = body["max_tokens"]
    if len(ids) + limit > server.model.context:
        needed = len(ids) + limit
        raise Refusal(400, f"maximum context length is {server.model.context}, not {needed}")
    if n_top > server.settings.most_top:
        raise Refusal(400, f"logprobs={n_top}: at most {server.settings.most_top}")
    drawing = Drawing(body.get("temperature", 0), body.get("seed", 0), n_top)
    with server.completing():
        continuation = server.model.complete(ids, limit, body.get("stop", []), drawing)
    choice = {
        **shape(continuation.text),
        "finish_reason": "stop" if continuation.stopped else "length",
        "logprobs": list_tokens(continuation.tokens) if n_top else None,
    }
    usage = {"prompt_tokens": len(ids), "completion_tokens": continuation.n_tokens}
    return {"choices": [choice], "usage": usage}


def _listed_apart(tokens: Sequence[ServedToken]) -> Body:
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.log_probability for token in tokens],
        "top_logprobs": [dict(token.top) for token in tokens],
    }


def _listed(tokens: Sequence[ServedToken]) -> Body:
    return {
        "content": [
            {
                "token": token.text,
                "logprob": token.log_probability,
                "bytes": list(token.text.encode()),
                "top_logprobs": [{"token": text, "logprob": value} for text, value in token.top],
            }
            for token in tokens
        ]
    }


def _prompts(server: ModelServer, body: Body) -> list[list[int]]:
    """A text, the ids of one, or those of several."""
    prompt = body["prompt"]
    if isinstance(prompt, str):
        return [server.model.encode(prompt)]
    return [prompt] if isinstance(prompt[0], int) else list(prompt)


_KINDS: dict[str, dict[str, Callable[[ModelServer, Body], Body]]] = {
    "vllm": {
        "v1/models": _models,
        "version": _version,
        "tokenize": _tokenize,
        "detokenize": _detokenize,
        "v1/completions": _complete_with_echo,
        "v1/chat/completions": _chat,
    },
    "llamacpp": {
        "v1/models": _models,
        "apply-template": _apply_template,
        "tokenize": _tokenize_content,
        "v1/completions": _complete_without_echo,
        "v1/chat/completions": _chat,
    },
    "chat": {"v1/models": _models, "v1/chat/completions": _chat},
}


def serve_to(connection: Connection, settings: ServerSettings) -> None:
    """Serve for good, once ``connection`` has been sent the server's URL."""
    server = ModelServer(settings)
    connection.send(server.url)
    connection.close()
    server.serve_forever()


def serve() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--name", default="tiny")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    server = ModelServer(ServerSettings(given.folder, given.name), given.port)
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
