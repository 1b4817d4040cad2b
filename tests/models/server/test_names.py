"""The name that a model is asked for by, and those that a server lists."""

from __future__ import annotations

from collections.abc import Sequence

import httpx2
import pytest

from argo_ml.addresses import Address
from argo_ml.config import ContextSpec
from argo_ml.errors import ModelError
from argo_ml.models.server.fleet import RetryPolicy, Server
from argo_ml.models.server.opening import describe_server

ANSWER = {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}]}


def opened(name: str, listed: Sequence[str]) -> str:
    """The name that a server with these models is asked for."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/models":
            return httpx2.Response(200, json={"data": [{"id": model} for model in listed]})
        if request.url.path != "/v1/chat/completions":
            return httpx2.Response(404)
        return httpx2.Response(200, json=ANSWER)

    transport = httpx2.MockTransport(respond)
    server = Server(Address("http://host"), "", RetryPolicy(timeout_s=5), transport)
    spec = ContextSpec(model=f"server:{name}", server_urls=("http://host/v1",))
    return describe_server(server, name, spec).name


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("org/big:nitro", ["org/small", "org/big"]),
        ("openai/gpt-x", ["anthropic/*", "openai/*"]),
        ("org/big", ["org/small", "org/big"]),
    ],
)
def test_a_variant_of_what_is_listed_is_taken_by_its_own_name(name: str, listed: list[str]) -> None:
    assert opened(name, listed) == name


@pytest.mark.parametrize(
    ("name", "listed"), [("org/bigger", ["org/small", "org/big"]), ("big:7b", ["big"])]
)
def test_another_name_is_refused_also_where_a_server_may_answer_to_any(
    name: str, listed: list[str]
) -> None:
    with pytest.raises(ModelError, match="serves no such model"):
        opened(name, listed)


def test_of_many_names_the_nearest_are_shown() -> None:
    listed = [f"vendor/other-{number}" for number in range(300)] + ["org/big"]
    with pytest.raises(ModelError, match=r"it serves: org/big, .*, and 291 more$") as caught:
        opened("org/bag", listed)
    assert str(caught.value).count("vendor/") == 9
