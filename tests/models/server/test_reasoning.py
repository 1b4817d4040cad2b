"""Servers whose models think before they answer."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from argo_ml.addresses import Address
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.reasoning import is_unfinished
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.prompting import ByChat, find_prompting


class Thinking:
    """A server that writes one text, up to the first stop; it keeps what it was asked.

    ``reasoning`` it gives beside the text, which is empty below ``n_needed`` tokens.
    """

    def __init__(self, text: str, reasoning: str | None = None, n_needed: int = 0) -> None:
        self.text, self.reasoning, self.n_needed = text, reasoning, n_needed
        self.asked: list[dict[str, Any]] = []
        server = Server(
            Address("http://host"), "", RetryPolicy(timeout_s=5), httpx2.MockTransport(self._answer)
        )
        self.fleet = fleet = Fleet([server], RetryPolicy(max_retries=0))
        self.model = ServerModel("thinking", ByChat(fleet, "m"), None, 1)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/v1/chat/completions":
            return httpx2.Response(404)
        body = json.loads(request.content)
        self.asked.append(body)
        text = self.text.split(body["stop"][0])[0] if "stop" in body else self.text
        is_cut = body["max_tokens"] < self.n_needed
        message = {"content": None if is_cut else text, "reasoning_content": self.reasoning}
        choice = {"message": message, "finish_reason": "length" if is_cut else "stop"}
        usage = {"prompt_tokens": 7, "completion_tokens": min(body["max_tokens"], 200)}
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


@pytest.mark.parametrize("reasoning", ["Objects are", None], ids=["given", "hidden"])
def test_reasoning_that_eats_the_limit_is_given_room(reasoning: str | None) -> None:
    server = Thinking("Red.", reasoning, n_needed=500)

    replies = server.model.generate(REQUESTS)

    assert [reply.text for reply in replies] == ["Red.", "Red."]
    assert [reply.completion_tokens for reply in replies] == [200, 200]
    assert [body["max_tokens"] for body in server.asked] == [50, 1074, 1074]


@pytest.mark.parametrize("reasoning", ["Objects are", None], ids=["given", "hidden"])
def test_reasoning_beyond_all_room_is_no_answer(reasoning: str | None) -> None:
    [reply] = Thinking("Red.", reasoning, n_needed=5000).model.generate(REQUESTS[:1])

    assert is_unfinished(reply.text)


def test_chat_that_begins_with_reasoning_is_asked_to_leave_it_out() -> None:
    server = Thinking("Red.", "Objects are", n_needed=20)

    prompting = find_prompting(server.fleet, "m")

    assert prompting.describe() == "chat-without-thinking"
    switches = {"enable_thinking": False, "thinking": False}
    assert server.asked[-1]["chat_template_kwargs"] == switches


def test_chat_that_answers_at_once_is_asked_as_ever() -> None:
    server = Thinking("Red.")

    assert find_prompting(server.fleet, "m").describe() == "chat"
    assert "chat_template_kwargs" not in server.asked[-1]
