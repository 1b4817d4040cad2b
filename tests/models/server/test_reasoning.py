"""Servers whose models think before they answer."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from argo_ml.addresses import Address
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.prompting import ByChat


class Thinking:
    """A server that writes one text, up to the first stop; it keeps what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[dict[str, Any]] = []
        server = Server(
            Address("http://host"), "", RetryPolicy(timeout_s=5), httpx2.MockTransport(self._answer)
        )
        fleet = Fleet([server], RetryPolicy(max_retries=0))
        self.model = ServerModel("thinking", ByChat(fleet, "m"), None, 1)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        text = self.text.split(body["stop"][0])[0] if "stop" in body else self.text
        choice = {"message": {"content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 7, "completion_tokens": 2}
        return httpx2.Response(200, json={"choices": [choice], "usage": usage})


REQUESTS = [Generation(Prompt("", question, "Answer:"), 50) for question in ("Why?", "Who?")]


def test_reply_after_reasoning_is_what_counts() -> None:
    server = Thinking("<think>\nObjects are red.\n</think>\n\nAnswer: Red.\nMore.")
    assert [done.text for done in server.model.generate(REQUESTS)] == ["Red.", "Red."]


def test_server_that_thinks_is_asked_for_its_whole_text_from_then_on() -> None:
    server = Thinking("<think>\nObjects are red.\n</think>\n\nRed.")
    server.model.generate(REQUESTS)
    assert ["stop" in body for body in server.asked] == [True, False, False]


def test_reasoning_without_an_end_is_kept_whole() -> None:
    [done] = Thinking("<think>\nlet me").model.generate(REQUESTS[:1])
    assert done.text == "<think>\nlet me"


def test_server_that_does_not_think_is_asked_once() -> None:
    server = Thinking("Red.\nMore.")
    assert server.model.generate(REQUESTS[:1])[0].text == "Red."
    assert len(server.asked) == 1
