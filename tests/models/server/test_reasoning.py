"""Servers whose models think before they answer, and those that answer nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from argo_ml.addresses import Address
from argo_ml.config import ContextSpec, build
from argo_ml.errors import ModelError
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.reasoning import is_unfinished
from argo_ml.models.server.finding import find_prompting
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.opening import describe_server, make_model
from argo_ml.models.server.prompting import ByChat
from argo_ml.models.unfit import SomeUnfitError

Body = dict[str, Any]


def said(text: str | None, ending: str = "stop", **usage: Any) -> Body:
    """An answer; without counts of tokens it has no usage."""
    choice = {"message": {"content": text}, "finish_reason": ending}
    return {"choices": [choice], "usage": {"prompt_tokens": 7, **usage} if usage else None}


class Chatting:
    """A server of chats that answers by a function of the request, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Body], Body | None]) -> None:
        self.answer = answer
        self.asked: list[Body] = []
        transport = httpx2.MockTransport(self._respond)
        self.server = Server(Address("http://host"), "", RetryPolicy(timeout_s=5), transport)
        self.fleet = Fleet([self.server], RetryPolicy(max_retries=0))
        self.model = ServerModel("thinking", ByChat(self.fleet, "m"), None, 1)
        self.context = 0

    def opened(self) -> ServerModel:
        """The model as it is opened, which is no longer among what was asked."""
        prompting = find_prompting(self.fleet, "m")
        self.asked.clear()
        return ServerModel(prompting.describe(), prompting, None, 1)

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/models":
            card = {"id": "m", "max_model_len": self.context}
            return httpx2.Response(200, json={"data": [card]})
        if request.url.path != "/v1/chat/completions":
            return httpx2.Response(404)
        self.asked.append(json.loads(request.content))
        content = self.answer(self.asked[-1])
        return httpx2.Response(400) if content is None else httpx2.Response(200, json=content)


def thinking(text: str, reasoning: str | None = None, n_needed: int = 0) -> Chatting:
    """Writes one text, up to the first stop.

    ``reasoning`` it gives beside the text, which is empty below ``n_needed`` tokens.
    """

    def answer(body: Body) -> Body:
        shown = text.split(body["stop"][0])[0] if "stop" in body else text
        is_cut = body["max_tokens"] < n_needed
        content = said(
            None if is_cut else shown,
            "length" if is_cut else "stop",
            completion_tokens=min(body["max_tokens"], 200),
        )
        content["choices"][0]["message"]["reasoning_content"] = reasoning
        return content

    return Chatting(answer)


REQUESTS = [Generation(Prompt("", question, "Answer:"), 50) for question in ("Why?", "Who?")]


def test_reply_after_reasoning_is_what_counts() -> None:
    server = thinking("<think>\nObjects are red.\n</think>\n\nAnswer: Red.\nMore.")
    assert [done.text for done in server.model.generate(REQUESTS)] == ["Red.", "Red."]


def test_model_that_was_not_seen_to_think_is_asked_alike_whatever_it_answered_before() -> None:
    server = thinking("<think>\nObjects are red.\n</think>\n\nRed.")
    server.model.generate(REQUESTS)
    assert ["stop" in body for body in server.asked] == [True, False, True, False]


def test_reasoning_without_an_end_is_kept_whole() -> None:
    [done] = thinking("<think>\nlet me").model.generate(REQUESTS[:1])
    assert done.text == "<think>\nlet me"


def test_server_that_does_not_think_is_asked_once() -> None:
    server = thinking("Red.\nMore.")
    assert server.model.generate(REQUESTS[:1])[0].text == "Red."
    assert len(server.asked) == 1


@pytest.mark.parametrize("reasoning", ["Objects are", None], ids=["given", "hidden"])
def test_reasoning_that_eats_the_limit_is_given_room(reasoning: str | None) -> None:
    server = thinking("Red.", reasoning, n_needed=500)

    replies = server.model.generate(REQUESTS)

    assert [reply.text for reply in replies] == ["Red.", "Red."]
    assert [reply.prompt_tokens for reply in replies] == [7 + 7, 7 + 7]
    assert [reply.completion_tokens for reply in replies] == [50 + 200, 50 + 200]
    assert [body["max_tokens"] for body in server.asked] == [50, 1074, 50, 1074]


@pytest.mark.parametrize("reasoning", ["Objects are", None], ids=["given", "hidden"])
def test_reasoning_beyond_all_room_is_no_answer(reasoning: str | None) -> None:
    [reply] = thinking("Red.", reasoning, n_needed=5000).model.generate(REQUESTS[:1])

    assert is_unfinished(reply.text)


def test_reasoning_has_no_room_where_the_context_has_none() -> None:
    whole = thinking("Red.", "Objects are", n_needed=500).answer
    server = Chatting(lambda body: whole(body) if body["max_tokens"] < 1000 else None)

    [reply] = server.model.generate(REQUESTS[:1])

    assert is_unfinished(reply.text)


def blank_to_the_limit(body: Body) -> Body:
    """A model that opens one of its answers with 60 empty lines, and says much in all."""
    n_blank = 60 if "Why?" in body["messages"][0]["content"] else 0
    words = [f"w{n}" for n in range(2000)]
    text = "\n" * n_blank + " ".join(words[: max(0, body["max_tokens"] - n_blank)])
    return said(text, "length", completion_tokens=body["max_tokens"])


def test_what_a_request_gets_does_not_depend_on_those_before_it() -> None:
    blank, ready = (Generation(Prompt("", question), 50, stop=()) for question in ("Why?", "Who?"))
    expected = " ".join(f"w{n}" for n in range(50))
    for requests in ([blank, ready], [ready, blank, ready]):
        server = Chatting(blank_to_the_limit)
        texts = {
            request.prompt.user: done.text
            for request, done in zip(requests, server.model.generate(requests), strict=True)
        }
        assert texts["Who?"] == expected
        assert texts["Why?"].strip() == expected
        assert [body["max_tokens"] for body in server.asked if "Who?" in str(body)][-1] == 50


def test_a_reply_beside_its_reasoning_has_no_more_tokens_than_were_asked_for() -> None:
    words = " ".join(["word"] * 200)
    server = thinking(f"<think>a</think>{words}", n_needed=60)
    [reply] = server.model.generate([Generation(Prompt("", "Why?"), 50, stop=())])
    assert server.model.count_tokens([reply.text]) == [50]
    assert words.startswith(reply.text)


@pytest.mark.parametrize("usage", [{}, {"completion_tokens": 0}], ids=["uncounted", "none"])
def test_nothing_at_the_limit_is_hidden_reasoning_whatever_was_counted(usage: Body) -> None:
    def answer(body: Body) -> Body:
        return said("Red.") if body["max_tokens"] > 500 else said(None, "length", **usage)

    [reply] = Chatting(answer).model.generate(REQUESTS[:1])

    assert reply.text == "Red."


def test_nothing_at_the_end_is_asked_for_again() -> None:
    answers = iter([said("", completion_tokens=1), said("Red.", completion_tokens=3)])
    [reply] = Chatting(lambda body: next(answers)).model.generate(REQUESTS[:1])
    assert reply.text == "Red."
    assert (reply.prompt_tokens, reply.completion_tokens) == (7 + 7, 1 + 3)


def beside(reasoning: str, ending: str = "stop") -> Body:
    """Reasoning beside no text."""
    answer = said(None, ending, completion_tokens=50)
    answer["choices"][0]["message"]["reasoning_content"] = reasoning
    return answer


NOTHING = "has answered nothing"
WITHHELD = "filter has left nothing"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (said(""), NOTHING),
        ({"choices": [{"message": None, "finish_reason": "stop"}]}, NOTHING),
        (said(None, "content_filter"), WITHHELD),
        (beside("Objects", "content_filter"), WITHHELD),
        ({"choices": [{"message": None, "finish_reason": "content_filter"}]}, WITHHELD),
        ({"choices": None}, WITHHELD),
        ({"choices": []}, WITHHELD),
        ({"object": "chat.completion", "usage": {"prompt_tokens": 7}}, WITHHELD),
    ],
)
def test_question_to_which_a_server_says_nothing_is_unanswered(answer: Body, reason: str) -> None:
    server = Chatting(lambda body: answer if "Why?" in str(body) else said("Red."))

    with pytest.raises(SomeUnfitError, match=reason) as caught:
        server.model.generate(REQUESTS)

    assert [reply.text for reply in caught.value.finished.values()] == ["Red."]


@pytest.mark.parametrize(
    "answer",
    [
        said(None, completion_tokens=50, completion_tokens_details={"reasoning_tokens": 50}),
        said("", completion_tokens=1, total_tokens=300),
        said("<think>\nObjects are red.\n</think>\n\n", completion_tokens=50),
        beside("Objects are red."),
    ],
    ids=["counted apart", "in the total", "in the text", "beside it"],
)
def test_reasoning_that_a_model_ends_without_a_reply_is_no_answer(answer: Body) -> None:
    with pytest.raises(SomeUnfitError, match=NOTHING):
        Chatting(lambda body: answer).model.generate(REQUESTS[:1])


def test_nothing_from_a_model_that_thinks_is_no_answer_whatever_was_counted() -> None:
    server = thinking("Red.", n_needed=5000)
    model = server.opened()
    server.answer = lambda body: said("", completion_tokens=300)
    with pytest.raises(SomeUnfitError, match=NOTHING):
        model.generate(REQUESTS[:1])


def test_a_model_that_ends_its_turn_at_once_has_said_so() -> None:
    server = Chatting(lambda body: said("", completion_tokens=1))
    assert server.model.generate(REQUESTS[:1])[0].text == ""


def switching(answer: Body, otherwise: Body) -> Chatting:
    """Thinks unless its template is asked not to."""
    return Chatting(lambda body: answer if "chat_template_kwargs" in body else otherwise)


OPENED = "Okay, so I need to figure out\nwhat it is.\n</think>\n\nRed.\nMore."
SEEN = {
    "shown": said(f"<think>{OPENED}", completion_tokens=30),
    "opened by the template": said(OPENED, completion_tokens=30),
    "hidden": said("", "length", completion_tokens=0),
    "counted": said("R", completion_tokens=9, completion_tokens_details={"reasoning_tokens": 8}),
    "in the total": said("R", completion_tokens=1, total_tokens=300),
    "without an end": said("Okay, so I need to", "length", completion_tokens=512),
}


@pytest.mark.parametrize("thought", SEEN.values(), ids=SEEN)
def test_chat_that_thinks_is_asked_to_leave_it_out(thought: Body) -> None:
    server = switching(said("Red.", completion_tokens=2), thought)

    prompting = find_prompting(server.fleet, "m")

    assert prompting.describe() == "chat-without-thinking"
    switches = {"enable_thinking": False, "thinking": False}
    assert server.asked[-1]["chat_template_kwargs"] == switches


def test_chat_with_reasoning_beside_it_is_asked_to_leave_it_out() -> None:
    thought = thinking("Red.", "Objects are").answer({"max_tokens": 9})
    server = switching(said("Red.", completion_tokens=2), thought)
    assert find_prompting(server.fleet, "m").describe() == "chat-without-thinking"


def test_chat_that_cannot_leave_reasoning_out_has_room_from_the_first_request_on() -> None:
    server = thinking("Red.\nMore.", "Objects are", n_needed=500)
    model = server.opened()

    replies = model.generate(REQUESTS)

    assert model.identity == "chat-with-thinking"
    assert [reply.text for reply in replies] == ["Red.", "Red."]
    assert [(body["max_tokens"], "stop" in body) for body in server.asked] == [(1074, False)] * 2


def opened_with(server: Chatting, context: int, max_new_tokens: int, **values: int) -> str:
    """How a server is asked that tells of a context of so many tokens."""
    server.context = context
    urls = ("http://host/v1",)
    spec = build(
        ContextSpec,
        {"model": "server:m", "server_urls": urls, "max_new_tokens": max_new_tokens, **values},
    )
    return describe_server(server.server, "m", spec).prompting.describe()


def test_a_model_that_thinks_is_refused_without_room_for_it() -> None:
    server = thinking("Red.", "Objects are")
    with pytest.raises(
        ModelError, match=r"context of 1585 .* needs 1586 or more: thinking_tokens=1024 for"
    ) as caught:
        opened_with(server, context=1585, max_new_tokens=50)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="needs 2136 or more"):
        opened_with(server, context=2048, max_new_tokens=600)
    with pytest.raises(ModelError, match="needs 4562 or more: thinking_tokens=4000"):
        opened_with(server, context=4096, max_new_tokens=50, thinking_tokens=4000)


def test_room_is_for_models_that_think_as_far_as_it_is_known() -> None:
    server = thinking("Red.", "Objects are")
    for context in (0, 1586):
        assert opened_with(server, context, max_new_tokens=50) == "chat-with-thinking"
    assert opened_with(thinking("Red."), 1496, max_new_tokens=600) == "chat"


def test_what_stands_before_the_end_of_opened_reasoning_is_no_answer() -> None:
    server = thinking(OPENED)
    model = server.opened()
    server.answer = lambda body: (
        said("Okay, so I", "length", completion_tokens=1074)
        if "Who?" in str(body)
        else said(OPENED, completion_tokens=30)
    )

    answered, unfinished = model.generate(REQUESTS)

    assert model.identity == "chat-with-thinking-inside"
    assert answered.text == "Red."
    assert is_unfinished(unfinished.text)


def test_room_for_reasoning_is_what_was_asked_for_and_part_of_the_identity() -> None:
    server = thinking("Red.", "Objects are")
    spec = build(
        ContextSpec,
        {"model": "server:m", "server_urls": ("http://host/v1",), "thinking_tokens": 2000},
    )
    described = describe_server(server.server, "m", spec)
    model = make_model(described.identity, described, [server.server], spec)
    server.asked.clear()

    model.generate(REQUESTS[:1])

    assert model.identity == f"{described.identity} thinking=2000"
    assert [body["max_tokens"] for body in server.asked] == [2050]


def test_chat_that_answers_at_once_is_asked_as_ever() -> None:
    server = thinking("Red.")

    assert find_prompting(server.fleet, "m").describe() == "chat"
    assert "chat_template_kwargs" not in server.asked[-1]


def test_chat_that_runs_on_is_asked_as_ever_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Chatting(lambda body: said("la " * 9, "length", completion_tokens=9))
    with caplog.at_level(logging.WARNING, "argo_ml"):
        assert find_prompting(server.fleet, "m").describe() == "chat"
    [notice] = caplog.messages
    assert notice.startswith("m does not come to the end of a short answer")


@pytest.mark.parametrize("ending", ["stop", "stop_sequence", "eos_token", "end_turn"])
def test_an_empty_line_before_a_reply_costs_no_room_for_reasoning(ending: str) -> None:
    def answer(body: Body) -> Body:
        return said("\n" if "stop" in body else "\nRed.\nMore.", ending, completion_tokens=9)

    server = Chatting(answer)

    assert server.model.generate(REQUESTS[:1])[0].text == "Red."
    assert [body["max_tokens"] for body in server.asked] == [50, 50]


def test_what_an_error_broke_off_is_no_answer() -> None:
    server = Chatting(lambda body: said("The capi", "error", completion_tokens=3))
    with pytest.raises(ModelError, match="has broken an answer off"):
        server.model.generate(REQUESTS[:1])
