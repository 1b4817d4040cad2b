"""What a scored question costs on a server: requests, tokens sent, and tokens that it must compute.

The requests are those that argo_ml makes, answered by a stand-in with the embedded model's own
tokens that computes nothing. What a server must compute of them is counted by how it keeps prompts:
llama.cpp all that a prompt shares with the one before in its slot, vLLM whole blocks of 16 tokens
that any prompt before it had, and none where log-probabilities of prompts are asked for. One token
at least is computed for every request.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

import httpx2

from argo_ml.addresses import Address
from argo_ml.config import SweepSpec, build
from argo_ml.models.base import Scoring
from argo_ml.models.deferred import load_now
from argo_ml.models.server.fleet import Fleet, RetryPolicy, Server
from argo_ml.models.server.prompting import ByTemplate, ByTokens
from argo_ml.models.server.scoring import ChoiceScoring, EchoScoring, ForcedScoring
from argo_ml.sweep.context import LocalContext
from benchmarks.reporting import report
from benchmarks.server import requests
from benchmarks.workplace import workplace

BLOCK = 16
"""Tokens that vLLM keeps together."""
Ids = Sequence[int]
Computed = Callable[[Ids, Sequence[Ids]], int]
"""Tokens that a server computes for a prompt after others."""


class StandIn:
    """Answers as llama.cpp's and vLLM's servers do, and keeps the prompts that it was sent."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.prompts: list[Ids] = []
        self.n_requests = 0
        transport = httpx2.MockTransport(self._answer)
        policy = RetryPolicy(timeout_s=60, max_retries=0)
        self.fleet = Fleet([Server(Address("http://stand-in"), "", policy, transport)], policy)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "/apply-template": lambda: {"prompt": self._rendered(body["messages"])},
            "/tokenize": lambda: {"tokens": self._ids(body)},
            "/v1/completions": lambda: {"choices": self._completed(body)},
        }
        return httpx2.Response(200, json=answers[request.url.path]())

    def _rendered(self, messages: Any, turn: str = "") -> str:
        chat = [message for message in messages if message["role"] != "assistant"]
        text = self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return str(text) + turn

    def _ids(self, body: dict[str, Any]) -> Ids:
        messages = body.get("messages")
        last = messages[-1] if messages else {}
        turn = last["content"] if last.get("role") == "assistant" else ""
        text = (
            self._rendered(messages, turn) if messages else body.get("content", body.get("prompt"))
        )
        ids: Ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _completed(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        prompt = body["prompt"]
        prompts = prompt if isinstance(prompt[0], list) else [prompt]
        self.prompts += prompts
        self.n_requests += 1
        if body.get("echo"):
            told: list[dict[str, Any]] = [
                {"token_logprobs": [-1.0] * (len(ids) + 1)} for ids in prompts
            ]
        elif "logit_bias" in body:
            [[token, _]] = body["logit_bias"]
            told = [{"content": [{"id": token, "token": "x", "logprob": -1.0}]}]
        else:
            [token] = body["allowed_token_ids"]
            told = [{"tokens": [f"token_id:{token}"], "token_logprobs": [-1.0]}]
        return [
            {"index": index, "text": "", "finish_reason": "length", "logprobs": logprobs}
            for index, logprobs in enumerate(told)
        ]


def shared(one: Ids, other: Ids) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def by_slot(prompt: Ids, before: Sequence[Ids]) -> int:
    kept = shared(prompt, before[-1]) if before else 0
    return len(prompt) - min(kept, len(prompt) - 1)


def by_blocks(prompt: Ids, before: Sequence[Ids]) -> int:
    kept = max((shared(prompt, other) for other in before), default=0)
    return len(prompt) - min(kept, len(prompt) - 1) // BLOCK * BLOCK


def anew(prompt: Ids, before: Sequence[Ids]) -> int:
    return len(prompt)


WAYS: Sequence[tuple[str, Callable[[Fleet], ChoiceScoring], Computed]] = (
    ("llama.cpp, forced", lambda fleet: ForcedScoring(ByTemplate(fleet, "m")), by_slot),
    ("vLLM, forced", lambda fleet: ForcedScoring(ByTokens(fleet, "m")), by_blocks),
    ("vLLM, echoed", lambda fleet: EchoScoring(ByTokens(fleet, "m")), anew),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-questions", type=int, default=200)
    parser.add_argument("--difficulty", default="hard")
    given = parser.parse_args()
    with workplace() as folder:
        values = {"n_questions": given.n_questions, "difficulty": given.difficulty}
        spec = build(SweepSpec, {**values, "cache_dir": folder, "device": "cpu"})
        context = LocalContext.open(spec)
        listed = [asked.scoring for asked in requests(context, spec)]
        loaded: Any = load_now(context.model)
        rows = [cost(*way, loaded.loaded._tokenizer, listed) for way in WAYS]
    n_choices = statistics.mean(len(request.choices) for request in listed)
    report("scoring-cost", rows, questions=len(listed), choices=n_choices)


def cost(
    name: str,
    way: Callable[[Fleet], ChoiceScoring],
    computed: Computed,
    tokenizer: Any,
    listed: Sequence[Scoring],
) -> dict[str, Any]:
    """Means over the questions; the server has kept nothing of another question."""
    rows = []
    for request in listed:
        server = StandIn(tokenizer)
        scores = way(server.fleet).score(request)
        prompts = server.prompts
        n_computed = sum(computed(prompt, prompts[:at]) for at, prompt in enumerate(prompts))
        n_sent = sum(map(len, prompts))
        rows.append((scores.prompt_tokens, server.n_requests, n_sent, n_computed))
    columns = ("prompt tokens", "requests", "tokens sent", "tokens computed")
    means = [statistics.mean(column) for column in zip(*rows, strict=True)]
    return {"way": name, **dict(zip(columns, means, strict=True))}


if __name__ == "__main__":
    main()
