"""Choices scored by forcing their tokens on a server like vLLM, which keeps prompts for all."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx2
import pytest

from argo_ml.addresses import Address
from argo_ml.models.base import Prompt, Scoring
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.prompting import ByTokens
from argo_ml.models.server.scoring import ForcedScoring
from argo_ml.models.unfit import SomeUnfitError

REQUEST = Scoring(Prompt("", "Why?", "Answer:"), ("ab", "ac", "d"))
N_FORCED = 5
"""Tokens of " ab", " ac" and " d", of which some begin alike."""


class Forcing:
    """Takes bytes for tokens; a forced one has minus its own number for its log-probability.

    Completions wait until ``n_together`` are under way, but for the first of each prompt.
    """

    def __init__(self, n_together: int = 1, n_servers: int = 1) -> None:
        self.hosts: set[str] = set()
        self.asked: list[tuple[list[int], int]] = []
        self.refused = -1
        self._barrier = threading.Barrier(n_together)
        transport = httpx2.MockTransport(self._answer)
        policy = RetryPolicy(timeout_s=5, max_retries=0)
        hosts = [Address(f"http://host{n}") for n in range(n_servers)]
        self.fleet = Fleet([Server(host, "", policy, transport) for host in hosts], policy)

    def model(self, n_at_once: int) -> ServerModel:
        prompting = ByTokens(self.fleet, "m")
        return ServerModel("m", prompting, ForcedScoring(prompting), n_at_once)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        if request.url.path == "/tokenize":
            return httpx2.Response(200, json={"tokens": list(_text(body).encode())})
        [token] = body["allowed_token_ids"]
        self.asked.append((body["prompt"], token))
        self.hosts.add(request.url.host)
        if token == self.refused:
            return httpx2.Response(400, json={"error": {"message": "not this one"}})
        if len(self.asked) > 1:
            self._barrier.wait(timeout=2)
        told = {"tokens": [f"token_id:{token}"], "token_logprobs": [-float(token)]}
        choice = {"text": "", "finish_reason": "length", "logprobs": told}
        return httpx2.Response(200, json={"choices": [choice]})


def _text(body: dict[str, Any]) -> str:
    listed = body.get("messages") or [{"content": body.get("prompt")}]
    return "|".join(message["content"] for message in listed)


def test_every_token_of_the_choices_is_forced_once_after_the_prompt() -> None:
    server = Forcing()
    [scores] = server.model(1).score([REQUEST])
    prompt = list(b"Why?|Answer:")
    after = [bytes(ids[len(prompt) :]) + bytes([token]) for ids, token in server.asked]
    assert after == [b" ", b" ", b" a", b" ab", b" ac", b" d"]
    assert scores.log_likelihoods == tuple(-sum(text) for text in (b" ab", b" ac", b" d"))
    assert scores.lengths == (3, 3, 2)


def test_what_no_other_request_needs_forces_tokens_as_well() -> None:
    server = Forcing(n_together=N_FORCED)
    [scores] = server.model(8).score([REQUEST])
    assert scores.log_likelihoods == tuple(-sum(text) for text in (b" ab", b" ac", b" d"))


def test_all_tokens_of_a_prompt_are_forced_by_one_of_several_servers() -> None:
    """The others have not read it."""
    servers = Forcing(n_together=N_FORCED, n_servers=2)
    servers.model(8).score([REQUEST])
    assert len(servers.hosts) == 1


def test_no_more_requests_than_allowed_are_under_way() -> None:
    server = Forcing(n_together=2)
    with pytest.raises(threading.BrokenBarrierError):
        server.model(1).score([REQUEST])


def test_a_refused_token_refuses_its_request_alone() -> None:
    server = Forcing()
    server.refused = ord("c")
    with pytest.raises(SomeUnfitError) as caught:
        server.model(4).score([REQUEST, Scoring(REQUEST.prompt, ("e",))])
    assert list(caught.value.refused) == [0]
