from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx2
import pytest

from argo_ml.addresses import Address
from argo_ml.config import ModelSpec
from argo_ml.errors import ModelError
from argo_ml.models.base import Prompt
from argo_ml.models.server.finding import find_prompting
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.opening import ServerDescription, describe_server, requests_of_all
from argo_ml.models.server.prompting import (
    GREEDY_SETTINGS,
    ByChat,
    ByTemplate,
    ByTokens,
)

PROMPT = Prompt("Be brief.", "Why?", prefix="Answer:", history="Facts.\n\n")


class Fake:
    """Answers by path, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {f"/{path.replace('__', '/')}": value for path, value in answers.items()}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        transport = httpx2.MockTransport(self._answer)
        self.server = Server(Address("http://host"), "", RetryPolicy(timeout_s=5), transport)
        self.fleet = Fleet([self.server], RetryPolicy(max_retries=0))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path, body = request.url.path, json.loads(request.content or b"{}")
        self.asked.append((path, body))
        answer = self.answers.get(path)
        content = answer(body) if callable(answer) else answer
        if isinstance(content, httpx2.Response):
            return content
        return httpx2.Response(404) if content is None else httpx2.Response(200, json=content)


USAGE = {"prompt_tokens": 7, "completion_tokens": 2}
TEXT = {"choices": [{"text": " Paris", "finish_reason": "stop"}], "usage": USAGE}


def chat(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": "length"}], "usage": USAGE}


def contents(body: dict[str, Any]) -> str:
    return "|".join(f"{message['role']}:{message['content']}" for message in body["messages"])


def test_tokens_leave_the_assistants_turn_open() -> None:
    fake = Fake(tokenize={"tokens": [1, 2]}, v1__completions=TEXT)

    answer = ByTokens(fake.fleet, "m").complete(PROMPT, {"max_tokens": 3})

    (_, rendering), (_, completing) = fake.asked
    assert contents(rendering) == "system:Be brief.|user:Facts.\n\nWhy?|assistant:Answer:"
    assert rendering["continue_final_message"] and not rendering["add_generation_prompt"]
    assert (completing["prompt"], completing["max_tokens"]) == ([1, 2], 3)
    assert completing["repetition_penalty"] == 1.0
    assert (answer.text, answer.usage.prompt_tokens, answer.stopped) == (" Paris", 7, True)


def test_tokens_open_a_turn_where_there_is_no_prefix() -> None:
    fake = Fake(tokenize={"tokens": [1]})
    ByTokens(fake.fleet, "m").render(Prompt("", "Why?"))
    [(_, rendering)] = fake.asked
    assert contents(rendering) == "user:Why?"
    assert rendering["add_generation_prompt"] and not rendering["continue_final_message"]


def test_a_template_is_followed_by_the_prefix() -> None:
    fake = Fake(**{"apply-template": {"prompt": "<assistant>"}, "v1__completions": TEXT})
    ByTemplate(fake.fleet, "m").complete(PROMPT, {})
    assert fake.asked[1][1]["prompt"] == "<assistant>Answer:"


class Router(Fake):
    """llama.cpp's, which loads the model that a request names, and knows nothing of it before."""

    def __init__(self, context: int = 4096) -> None:
        super().__init__(
            **{"apply-template": self.loading(lambda body: {"prompt": contents(body)})},
            tokenize=self.loading(lambda body: {"tokens": [1, 2]}),
            v1__completions=self.loading(lambda body: TEXT),
            v1__models=lambda body: {"data": [self.card]},
        )
        self.context = context
        self.card: dict[str, Any] = {"id": "m", "owned_by": "llamacpp"}

    def loading(self, answer: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def answered(body: dict[str, Any]) -> Any:
            if body.get("model") != "m":
                return None
            self.card["meta"] = {"n_params": 7, "size": 9, "n_ctx": self.context}
            return answer(body)

        return answered


def test_a_router_is_asked_by_its_models_name_and_known_alike_before_and_after_it_loads() -> None:
    router = Router()
    spec = ModelSpec(model="server:m", server_urls=("http://host/v1",))
    first, second = (describe_server(router.server, "m", spec) for _ in range(2))
    assert isinstance(first.prompting, ByTemplate)
    assert first.identity == second.identity
    assert (first.context, " weights=7/9 " in first.identity) == (4096, True)


def test_a_context_that_a_router_shows_late_is_looked_at() -> None:
    spec = ModelSpec(model="server:m", server_urls=("http://host/v1",))
    with pytest.raises(ModelError, match="serves a context of 512 tokens"):
        describe_server(Router(context=512).server, "m", spec)


def test_a_llamacpp_server_computes_as_many_requests_at_once_as_it_has_slots() -> None:
    router = Router()
    spec = ModelSpec(model="server:m", server_urls=("http://host/v1",))
    assert describe_server(router.server, "m", spec).n_at_once == 0
    router.answers["/props"] = {"total_slots": 6}
    assert describe_server(router.server, "m", spec).n_at_once == 6


def test_a_llamacpp_server_whose_slots_are_not_told_is_opened() -> None:
    router = Router()
    router.answers["/props"] = lambda body: httpx2.Response(500)
    spec = ModelSpec(model="server:m", server_urls=("http://host/v1",), max_retries=0)
    assert describe_server(router.server, "m", spec).n_at_once == 0


def test_a_llamacpp_server_is_not_asked_for_slots_where_the_number_is_given() -> None:
    router = Router()
    spec = ModelSpec(model="server:m", server_urls=("http://host/v1",), server_concurrency=3)
    describe_server(router.server, "m", spec)
    assert "/props" not in [path for path, _ in router.asked]


@pytest.mark.parametrize(("owner", "expected"), [("vllm", 128), ("sglang", 0)])
def test_vllm_is_asked_for_many_at_once(owner: str, expected: int) -> None:
    fake = Fake(
        tokenize=ids_of,
        v1__completions=TEXT,
        v1__models={"data": [{"id": "m", "owned_by": owner}]},
    )
    spec = ModelSpec(model="server:m", server_urls=("http://host/v1",))
    assert describe_server(fake.server, "m", spec).n_at_once == expected


@pytest.mark.parametrize(
    ("known", "expected"), [((4, 8), 12), ((128, 0), 16), ((128,) * 9, 1024), ((0,), 16)]
)
def test_requests_under_way_are_what_all_servers_compute(
    known: tuple[int, ...], expected: int
) -> None:
    descriptions = [
        ServerDescription("m", "", ByChat(Fake().fleet, "m"), None, 0, n_at_once=n) for n in known
    ]
    assert requests_of_all(descriptions) == expected


def test_a_chat_is_told_the_prefix_and_its_answer_cut() -> None:
    fake = Fake(v1__chat__completions=chat("Answer: Paris"))

    answer = ByChat(fake.fleet, "m").complete(PROMPT, {})

    asked = contents(fake.asked[0][1])
    assert asked.endswith('user:Facts.\n\nWhy?\n\nBegin your answer with "Answer:"')
    assert (answer.text, answer.stopped) == (" Paris", False)


def test_system_text_opens_the_turn_where_there_is_no_such_role() -> None:
    fake = Fake(v1__chat__completions=chat("no"))
    ByChat(fake.fleet, "m", has_system_role=False).complete(Prompt("Be brief.", "Why?"), {})
    assert contents(fake.asked[0][1]) == "user:Be brief.\n\nWhy?"


def test_chats_estimate_tokens() -> None:
    count = ByChat(Fake().fleet, "m").count_tokens
    assert [count(""), count("one"), count("a b c"), count("word " * 8), count("日本語")] == [
        0,
        1,
        3,
        10,
        3,
    ]


def told(*texts: str) -> dict[str, Any]:
    """Log-probabilities as a chat has them."""
    top = [{"token": token, "logprob": -1.0} for token in "xy"]
    return {"content": [{"token": text, "logprob": -2.0, "top_logprobs": top} for text in texts]}


def test_plain_requests_ask_for_no_details_and_draw_nothing() -> None:
    fake = Fake(**{"apply-template": {"prompt": "x"}, "v1__completions": TEXT})
    fake.answers["/v1/chat/completions"] = chat("no")
    ByTemplate(fake.fleet, "m").complete(PROMPT, {**GREEDY_SETTINGS, "max_tokens": 3})
    ByChat(fake.fleet, "m").complete(PROMPT, {**GREEDY_SETTINGS, "max_tokens": 3})
    settings = {"model", "temperature", "top_p", "seed", "max_tokens"}
    assert fake.asked[1][1].keys() == settings | {"prompt", "repeat_penalty"}
    assert fake.asked[2][1].keys() == settings | {"messages"}


def test_draws_are_from_the_whole_distribution() -> None:
    fake = Fake(tokenize={"tokens": [1]}, v1__completions=TEXT)
    settings = {**GREEDY_SETTINGS, "temperature": 0.7, "seed": 3}
    ByTokens(fake.fleet, "m").complete(PROMPT, settings)
    asked = fake.asked[1][1]
    assert (asked["temperature"], asked["seed"], asked["top_p"]) == (0.7, 3, 1)
    assert (asked["top_k"], asked["min_p"]) == (-1, 0)


def test_details_are_asked_for_where_completions_have_them() -> None:
    choice = {**TEXT["choices"][0], "logprobs": told(" Par", "is", "<end>")}
    fake = Fake(tokenize={"tokens": [1]}, v1__completions={**TEXT, "choices": [choice]})
    answer = ByTokens(fake.fleet, "m").complete(PROMPT, {}, n_top=20)
    assert fake.asked[1][1]["logprobs"] == 20
    assert [token.text for token in answer.tokens] == [" Par", "is"]


def test_details_of_a_chat_begin_after_the_prefix() -> None:
    choice = {**chat("\nAnswer: Paris")["choices"][0], "logprobs": told("\nAn", "swer: P", "aris")}
    fake = Fake(v1__chat__completions={"choices": [choice], "usage": USAGE})
    answer = ByChat(fake.fleet, "m").complete(PROMPT, {}, n_top=5)
    asked = fake.asked[0][1]
    assert (asked["logprobs"], asked["top_logprobs"]) == (True, 5)
    assert answer.text == " Paris"
    assert [token.text for token in answer.tokens] == [" P", "aris"]


def ids_of(body: dict[str, Any]) -> dict[str, Any]:
    return {"tokens": list(json.dumps(body).encode())}


def test_the_most_exact_way_is_found() -> None:
    template = {"apply-template": lambda body: {"prompt": contents(body)}, "v1__completions": TEXT}
    tokens = {"tokenize": ids_of, "v1__completions": TEXT}
    chats = {"v1__chat__completions": chat("no")}
    for answers, way in (
        ({**template, **tokens, **chats}, ByTemplate),
        ({**tokens, **chats}, ByTokens),
        (chats, ByChat),
        ({"tokenize": {"count": 3}, **chats}, ByChat),
        ({"tokenize": ids_of, **chats}, ByChat),
    ):
        prompting = find_prompting(Fake(**answers).fleet, "m")
        assert (type(prompting), prompting.has_system_role) == (way, True)


def test_a_template_that_drops_or_refuses_system_text_is_noticed() -> None:
    def drop(body: dict[str, Any]) -> dict[str, Any]:
        return {"prompt": body["messages"][-1]["content"]}

    def refuse(body: dict[str, Any]) -> dict[str, Any] | None:
        return None if body["messages"][0]["role"] == "system" else chat("yes")

    dropping = Fake(**{"apply-template": drop, "v1__completions": TEXT})
    refusing = Fake(v1__chat__completions=refuse)
    assert find_prompting(dropping.fleet, "m").describe().startswith("template-without-system:")
    assert find_prompting(refusing.fleet, "m").describe() == "chat-without-system"


def test_another_template_is_another_identity() -> None:
    first, second = (
        Fake(**{"apply-template": lambda body, mark=mark: {"prompt": mark + contents(body)}})
        for mark in "<["
    )
    assert ByTemplate(first.fleet, "m").describe() == ByTemplate(first.fleet, "m").describe()
    assert ByTemplate(first.fleet, "m").describe() != ByTemplate(second.fleet, "m").describe()


def identity_on(
    monkeypatch: pytest.MonkeyPatch, day: date, way: type[ByTemplate | ByTokens]
) -> str:
    """What a server whose template writes the date is known by on that day."""

    class Today(date):
        @classmethod
        def today(cls) -> date:
            return day

    def dated(body: dict[str, Any]) -> str:
        return f"{day:%d %B %Y}|{contents(body)}"

    monkeypatch.setattr("argo_ml.models.server.prompting.date", Today)
    fake = Fake(
        tokenize=lambda body: {"tokens": [*map(ord, dated(body))]},
        detokenize=lambda body: {"prompt": "".join(map(chr, body["tokens"]))},
        **{"apply-template": lambda body: {"prompt": dated(body)}},
    )
    return way(fake.fleet, "m").describe()


@pytest.mark.parametrize("way", [ByTemplate, ByTokens])
def test_a_template_that_writes_the_date_is_the_same_tomorrow(
    monkeypatch: pytest.MonkeyPatch, way: type[ByTemplate | ByTokens]
) -> None:
    today, tomorrow = (identity_on(monkeypatch, date(2026, 5, day), way) for day in (1, 2))
    assert today == tomorrow


def opening_reasoning(opening: str, spelled: bool = True, first: str = " Paris") -> Fake:
    """vLLM with tokens of one character, and a template that opens new turns with ``opening``."""

    def tokenize(body: dict[str, Any]) -> dict[str, Any]:
        if "prompt" in body:
            return {"tokens": [*map(ord, body["prompt"])]}
        new = opening if body["add_generation_prompt"] else ""
        return {"tokens": [*map(ord, contents(body) + new)]}

    fake = Fake(tokenize=tokenize, v1__completions={**TEXT, "choices": [{"text": first}]})
    if spelled:
        fake.answers["/detokenize"] = lambda body: {"prompt": "".join(map(chr, body["tokens"]))}
    return fake


def test_reasoning_that_a_template_opens_is_closed_in_tokens() -> None:
    prompting = find_prompting(opening_reasoning("<think>\n").fleet, "m")

    bare, prefixed = (prompting.render(Prompt("", "Why?", prefix)) for prefix in ("", "Answer:"))

    assert "".join(map(chr, bare)) == "user:Why?<think>\n\n</think>\n\n"
    assert "".join(map(chr, prefixed)) == "user:Why?|assistant:Answer:"
    assert prompting.describe().startswith("tokens-without-thinking:")


def writing_prefixes_behind(opening: str) -> Fake:
    """SGLang with tokens of one character, which hides special ones unless it is asked for them."""

    def tokenize(body: dict[str, Any]) -> dict[str, Any]:
        if "prompt" in body:
            return {"tokens": [*map(ord, body["prompt"])]}
        *asked, last = body["messages"]
        if last["role"] == "user":
            return {"tokens": [*map(ord, contents(body) + opening)]}
        return {"tokens": [*map(ord, contents({"messages": asked}) + opening + last["content"])]}

    def detokenize(body: dict[str, Any]) -> dict[str, Any]:
        text = "".join(map(chr, body["tokens"]))
        return {"text": text if body.get("skip_special_tokens") is False else ""}

    return Fake(
        tokenize=tokenize,
        detokenize=detokenize,
        v1__completions={**TEXT, "choices": [{"text": " Paris"}]},
        v1__chat__completions=chat("Paris"),
    )


def test_prefix_is_not_written_into_reasoning_that_a_template_opens() -> None:
    open_before, closed_before = map(writing_prefixes_behind, ("<think>\n", "<assistant>"))
    assert isinstance(find_prompting(open_before.fleet, "m"), ByChat)
    prompting = find_prompting(closed_before.fleet, "m")
    assert prompting == ByTokens(closed_before.fleet, "m")


def test_text_of_tokens_is_read_as_either_server_names_it() -> None:
    sglang, vllm = writing_prefixes_behind("<think>"), opening_reasoning("<think>")
    for fake in (sglang, vllm):
        assert ByTokens(fake.fleet, "m").text([*b"<think>"]) == "<think>"


def test_turn_in_which_no_reasoning_is_opened_stays_as_it_is() -> None:
    for fake in (opening_reasoning("<assistant>"), opening_reasoning("<think>", spelled=False)):
        prompting = find_prompting(fake.fleet, "m")
        assert prompting == ByTokens(fake.fleet, "m")
        assert prompting.describe().startswith("tokens:")


def test_reasoning_that_a_server_shows_no_mark_of_is_refused() -> None:
    fake = opening_reasoning("<assistant>", first="[THINK]Okay,")
    with pytest.raises(ModelError, match=r"^m: opens its reasoning by \[THINK\]"):
        find_prompting(fake.fleet, "m")


def test_marks_of_reasoning_that_are_tokens_are_to_be_shown() -> None:
    fake = Fake(**{"apply-template": {"prompt": "x"}, "v1__completions": TEXT})
    known = ("[THINK]", "[/THINK]")
    fake.answers["/tokenize"] = lambda body: {"tokens": [7] if body["content"] in known else [1, 2]}

    prompting = find_prompting(fake.fleet, "m")
    prompting.complete(PROMPT, {})

    assert fake.asked[-1][1]["preserved_tokens"] == ["[THINK]", "[/THINK]"]
    assert prompting.describe().startswith("template-with-marked-thinking-without-system:")
