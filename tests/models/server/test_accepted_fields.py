"""Gateways that refuse fields of a request, or have their models under another path than /v1."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from argo_ml.addresses import Address
from argo_ml.config import ModelSpec
from argo_ml.errors import ModelError
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.server.accepted_fields import AcceptedFields
from argo_ml.models.server.finding import find_prompting
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.opening import describe_server
from argo_ml.models.server.prompting import GREEDY_SETTINGS, ByChat
from argo_ml.models.server.wire import UnfitPromptError

RENAME = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead."
)
ONE_TEMPERATURE = "Unsupported value: 'temperature' does not support 0 with this model."
BELOW_MINIMUM = (
    "Invalid 'max_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead."
)
TOO_FEW = "Could not finish the message because max_tokens or model output limit was reached."


class Gateway:
    """Answers chats below ``path``, refuses fields as ``refusals`` say, and keeps the rest."""

    def __init__(self, path: str = "/v1", status: int = 400, **refusals: Any) -> None:
        self.path, self.status, self.refusals = path, status, refusals
        self.least_tokens = 0
        self.text = "Paris"
        self.models = httpx2.Response(200, json={"data": [{"id": "models/g-1"}]})
        self.taken: list[dict[str, Any]] = []
        self.server = Server(
            Address.parse(f"http://host{path}"),
            "",
            RetryPolicy(timeout_s=5, max_retries=0),
            httpx2.MockTransport(self._answer),
        )
        self.fleet = Fleet([self.server], RetryPolicy(max_retries=0))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == f"{self.path}/models":
            return self.models
        if request.url.path != f"{self.path}/chat/completions":
            return httpx2.Response(404)
        body = json.loads(request.content)
        for name, refusal in self.refusals.items():
            if name in body:
                return httpx2.Response(self.status, json=refusal)
        if body.get("max_completion_tokens", 9999) < self.least_tokens:
            return httpx2.Response(400, json={"error": {"message": TOO_FEW}})
        if body.get("max_tokens", 9999) < 16:
            return httpx2.Response(400, json={"error": {"message": BELOW_MINIMUM}})
        self.taken.append(body)
        reply = {"message": {"content": self.text}, "finish_reason": "stop"}
        return httpx2.Response(200, json={"choices": [reply]})


SPEC = ModelSpec(model="server:g-1", server_urls=("http://host/v1",), max_retries=0)


def said(text: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": text, "param": param}}


@pytest.fixture
def reasoning() -> Gateway:
    """As OpenAI's reasoning models."""
    return Gateway(
        max_tokens=said(RENAME),
        temperature=said(ONE_TEMPERATURE),
        stop=said("Unsupported parameter.", "stop"),
    )


def test_fields_that_a_server_refuses_are_renamed_or_left_out_from_then_on(
    reasoning: Gateway,
) -> None:
    prompting = find_prompting(reasoning.fleet, "g-1")
    prompting.complete(Prompt("", "Why?"), {**GREEDY_SETTINGS, "max_tokens": 7, "stop": ["."]})
    asked = reasoning.taken[-1]
    assert asked.keys() == {"model", "messages", "top_p", "seed", "max_completion_tokens"}
    assert asked["max_completion_tokens"] == 7
    expected = "chat-without-stop-without-temperature-with-max_completion_tokens"
    assert prompting.describe() == expected


def test_a_strict_servers_list_of_extra_fields_is_understood() -> None:
    extra = {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}
    gateway = Gateway(status=422, seed=extra)
    assert find_prompting(gateway.fleet, "g-1").describe() == "chat-without-seed"
    assert gateway.taken[-1]["temperature"] == 0


def test_of_two_fields_that_exclude_each_other_the_less_important_is_left_out() -> None:
    refusal = "`temperature` and `top_p` cannot both be specified for this model."
    fields = AcceptedFields().without_refused(refusal)
    assert fields == AcceptedFields(left_out=frozenset({"top_p"}))


def test_a_gateway_that_wants_a_larger_limit_keeps_that() -> None:
    assert find_prompting(Gateway().fleet, "g-1").describe() == "chat"


@pytest.mark.parametrize(
    "refusal",
    [
        BELOW_MINIMUM,
        "This model's maximum context length is 8192 tokens, max_tokens is 9000.",
        "max_tokens: must be at least 16",
        "max_tokens is too large: 9000",
        "Unsupported value: 'max_tokens' must be greater than 15",
    ],
)
def test_a_value_that_is_refused_takes_no_limit_away(refusal: str) -> None:
    assert AcceptedFields().without_refused(refusal) is None
    renamed = AcceptedFields(renamed=frozenset({"max_tokens"}))
    assert renamed.without_refused(refusal.replace("max_tokens", "max_completion_tokens")) is None


def test_an_answer_of_a_server_that_takes_no_limit_is_cut_here() -> None:
    unknown = {"error": {"message": "Unrecognized request argument supplied: max_tokens"}}
    gateway = Gateway(max_tokens=unknown, max_completion_tokens=unknown)
    gateway.text = " ".join(f"w{n}" for n in range(100))
    prompting = find_prompting(gateway.fleet, "g-1")
    model = ServerModel("id", prompting, None, 1)
    [completion] = model.generate([Generation(Prompt("", "Where?"), 20)])
    assert completion.text.split() == [f"w{n}" for n in range(20)]


def test_a_refusal_of_something_else_is_said() -> None:
    gateway = Gateway(messages=said("This account is out of credit."))
    with pytest.raises(UnfitPromptError, match="out of credit"):
        find_prompting(gateway.fleet, "g-1")


def test_a_limit_that_reasoning_uses_up_is_raised(reasoning: Gateway) -> None:
    reasoning.least_tokens = 500
    prompting = find_prompting(reasoning.fleet, "g-1")
    model = ServerModel("id", prompting, None, 1)
    [completion] = model.generate([Generation(Prompt("", "Where?"), 20)])
    assert completion.text == "Paris"
    assert reasoning.taken[-1]["max_completion_tokens"] == 1044


@pytest.mark.parametrize("path", ["/v1", "/v1beta/openai", "/gateway/v1"])
def test_models_are_where_the_address_says(path: str) -> None:
    gateway = Gateway(path)
    described = describe_server(gateway.server, "g-1", SPEC)
    assert isinstance(described.prompting, ByChat)
    assert described.name == "models/g-1"


def test_a_path_of_its_own_may_still_have_v1_below_it() -> None:
    gateway = Gateway("/proxy/v1")
    gateway.server.address = Address.parse("http://host/proxy")
    assert describe_server(gateway.server, "", SPEC).name == "models/g-1"


def test_of_two_paths_that_which_says_what_is_wrong_is_heard() -> None:
    gateway = Gateway("/v1beta/openai")
    gateway.models = httpx2.Response(400, json=[said("User location is not supported.")])
    with pytest.raises(ModelError, match=r"HTTP 400 Bad Request \(User location is not supported"):
        describe_server(gateway.server, "g-1", SPEC)
