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

AZURE = "https://resource.openai.azure.com/openai"
ANSWER = {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}]}


def opened(
    name: str,
    listed: Sequence[str],
    root: str = "http://host",
    refused: httpx2.Response | None = None,
) -> str:
    """The name that a server with these models is asked for."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/v1/models"):
            return httpx2.Response(200, json={"data": [{"id": model} for model in listed]})
        if not request.url.path.endswith("/v1/chat/completions"):
            return httpx2.Response(404)
        return refused or httpx2.Response(200, json=ANSWER)

    transport = httpx2.MockTransport(respond)
    server = Server(Address(root), "", RetryPolicy(timeout_s=5), transport)
    spec = ContextSpec(model=f"server:{name}", server_urls=(f"{root}/v1",))
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


def test_azure_is_asked_by_the_name_of_a_deployment_which_it_does_not_list() -> None:
    assert opened("my-deployment", ["gpt-x", "gpt-y"], AZURE) == "my-deployment"


def test_a_machine_of_azure_serves_what_it_lists() -> None:
    with pytest.raises(ModelError, match="serves no such model"):
        opened("mine", ["big", "small"], "http://machine.westeurope.cloudapp.azure.com:8000")


def test_a_deployment_that_azure_does_not_have_is_named_in_its_own_words() -> None:
    words = "The API deployment for this resource does not exist."
    error = {"error": {"code": "DeploymentNotFound", "message": words}}
    with pytest.raises(ModelError, match=words):
        opened("mine", ["gpt-x", "gpt-y"], AZURE, httpx2.Response(404, json=error))
