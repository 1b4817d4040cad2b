"""A model that asks the permanent cache of finished calls first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

from argo_ml.interruption import checkpoint, forget_stop
from argo_ml.models.base import (
    Completion,
    Generation,
    InterruptedRequests,
    LanguageModel,
    Prompt,
    RequestType,
    ResponseType,
    Scores,
    Scoring,
    UnfinishedError,
)
from argo_ml.models.cache.ledger import Begun
from argo_ml.models.cache.store import (
    GENERATE,
    SCORE,
    CacheStats,
    CallCache,
    Entry,
    Pruned,
)
from argo_ml.models.capacity import requests_at_once
from argo_ml.models.hidden_states import decode_state, encode_state
from argo_ml.models.unfit import all_or_unfit, answered_and_refused
from argo_ml.types import TokenDetail

__all__ = ["CacheStats", "CachingModel", "CallCache", "Pruned"]

HIDDEN_STATE = "hidden_state"
"""Where a stored output has the model's state, if it has one."""
SLICE = 64
"""Requests executed between two writes: what a kill can lose."""


class CachingModel:
    """Executes only what the cache does not hold, and stores it at once.

    A response is ``paid`` if and only if ``billed_to`` executed its call, now or earlier, and also
    where another had executed it before: work that is repeated billed to the same run after a kill
    reports the same calls as paid and executes none, and of two that execute a call at once both
    have paid for it. A request that occurs several times in a list is executed once.
    ``slice_size`` requests are executed between two writes; by default `SLICE`, or as many as the
    model works on at once.
    """

    def __init__(
        self, model: LanguageModel, cache: CallCache, billed_to: str, slice_size: int | None = None
    ) -> None:
        self._model = model
        self._cache = cache
        self._billed_to = billed_to
        self._given_slice_size = slice_size

    @property
    def _slice_size(self) -> int:
        # A model that is loaded at its first call does not know before.
        return self._given_slice_size or max(SLICE, requests_at_once(self._model))

    @property
    def identity(self) -> str:
        return self._model.identity

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        """Raises `ModelError` from the model, `SomeUnfitError` once all others are stored, and
        `ArgoError` from the cache."""
        return self._serve(requests, self._model.generate, _completion_entry, _completion)

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        """Raises as `generate` does."""
        return self._serve(requests, self._model.score, _scores_entry, _scores)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._model.count_tokens(texts)

    def _serve(
        self,
        requests: Sequence[RequestType],
        execute: Callable[[Sequence[RequestType]], list[ResponseType]],
        store: Callable[[str, ResponseType, str], Entry],
        restore: Callable[[Entry, bool], ResponseType],
    ) -> list[ResponseType]:
        keys = [request_key(self.identity, request) for request in requests]
        by_key = dict(zip(keys, requests, strict=True))
        entries = self._cache.find(keys, self._billed_to)
        missing = [key for key in by_key if key not in entries]
        # Slices of similar length keep the padding of the model's batches low.
        missing.sort(key=lambda key: _length(by_key[key]), reverse=True)
        executed, refused = self._execute(missing, by_key, execute, store)
        entries.update(executed)
        served = {
            index: restore(entries[key], entries[key].billed_to == self._billed_to)
            for index, key in enumerate(keys)
            if key not in refused
        }
        reasons = {index: refused[key] for index, key in enumerate(keys) if key in refused}
        return all_or_unfit(served, reasons)

    def _execute(
        self,
        missing: Sequence[str],
        by_key: Mapping[str, RequestType],
        execute: Callable[[Sequence[RequestType]], list[ResponseType]],
        store: Callable[[str, ResponseType, str], Entry],
    ) -> tuple[dict[str, Entry], dict[str, str]]:
        """What came of the requests of these keys, and why others were refused."""
        entries: dict[str, Entry] = {}
        refused: dict[str, str] = {}
        size = self._slice_size
        for start in range(0, len(missing), size):
            checkpoint()
            part = missing[start : start + size]
            requests = [by_key[key] for key in part]
            kind = GENERATE if isinstance(requests[0], Generation) else SCORE
            begun = self._cache.begin(self.identity, self._billed_to, kind, len(part))
            try:
                finished, unfit = answered_and_refused(execute, requests)
            except InterruptedRequests as error:
                known = replace(begun, n_calls=len(part) - error.n_under_way)
                self._add(_by_key(part, error.finished), store, known)
                forget_stop()
                raise KeyboardInterrupt from None
            except Exception as error:
                answered = error.finished if isinstance(error, UnfinishedError) else {}
                self._add(_by_key(part, answered), store, begun)
                raise
            entries |= self._add(_by_key(part, finished), store, begun)
            refused |= {part[index]: why for index, why in unfit.items()}
        return entries, refused

    def _add(
        self,
        responses: Mapping[str, ResponseType],
        store: Callable[[str, ResponseType, str], Entry],
        begun: Begun,
    ) -> dict[str, Entry]:
        entries = [store(key, response, self._billed_to) for key, response in responses.items()]
        return self._cache.add(self.identity, entries, begun)


def _by_key(keys: Sequence[str], responses: Mapping[int, ResponseType]) -> dict[str, ResponseType]:
    """Responses by the keys of their requests, instead of by their index."""
    return {keys[index]: response for index, response in responses.items()}


def request_key(identity: str, request: Generation | Scoring) -> str:
    """Digest of everything that can change the output of a call."""
    absent = {"component", *_absent(request)}
    values = {name: getattr(request, name) for name in _names(request) if name not in absent}
    prompt = request.prompt
    values["prompt"] = {name: getattr(prompt, name) for name in _names(prompt)}
    content = [identity, type(request).__name__, values]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _names(value: Generation | Scoring | Prompt) -> Iterable[str]:
    """Names of the fields; `asdict` copies their values, which takes longer than the digest."""
    return value.__dataclass_fields__


def _absent(request: Generation | Scoring) -> Iterator[str]:
    """Fields that change nothing at their value, left out so that a plain request has one key."""
    if not request.hidden_state:
        yield "hidden_state"
    if isinstance(request, Generation):
        if not request.temperature:
            yield from ("temperature", "seed")
        if not request.details:
            yield "details"


def _length(request: Generation | Scoring) -> int:
    prompt = request.prompt
    return len(prompt.system) + len(prompt.turn) + len(prompt.prefix)


def _completion_entry(key: str, response: Completion, billed_to: str) -> Entry:
    return Entry(
        key=key,
        kind=GENERATE,
        output=json.dumps(_completion_json(response)),
        prompt_tokens=response.prompt_tokens,
        output_tokens=json.dumps(response.completion_tokens),
        seconds=response.seconds,
        billed_to=billed_to,
    )


def _completion_json(response: Completion) -> str | dict[str, Any]:
    """The text alone, or with what is known of its tokens and of the model's state."""
    if not response.tokens and not response.hidden_state:
        return response.text
    tokens = [astuple(token) for token in response.tokens]
    return {"text": response.text, "tokens": tokens, **_state_json(response)}


def _scores_json(response: Scores) -> Sequence[float] | dict[str, Any]:
    """The log-likelihoods alone, or with the model's state."""
    if not response.hidden_state:
        return response.log_likelihoods
    return {"log_likelihoods": response.log_likelihoods, **_state_json(response)}


def _state_json(response: Completion | Scores) -> dict[str, str]:
    """Nothing where there is no state, so that other outputs are what they always were."""
    if not response.hidden_state:
        return {}
    return {HIDDEN_STATE: encode_state(response.hidden_state)}


def _completion(entry: Entry, paid: bool) -> Completion:
    read = json.loads(entry.output)
    output: dict[str, Any] = {"text": read, "tokens": []} if isinstance(read, str) else read
    return Completion(
        text=output["text"],
        prompt_tokens=entry.prompt_tokens,
        completion_tokens=json.loads(entry.output_tokens),
        seconds=entry.seconds,
        paid=paid,
        tokens=tuple(TokenDetail(*token) for token in output["tokens"]),
        hidden_state=decode_state(output.get(HIDDEN_STATE, "")),
    )


def _scores_entry(key: str, response: Scores, billed_to: str) -> Entry:
    return Entry(
        key=key,
        kind=SCORE,
        output=json.dumps(_scores_json(response)),
        prompt_tokens=response.prompt_tokens,
        output_tokens=json.dumps(response.lengths),
        seconds=response.seconds,
        billed_to=billed_to,
    )


def _scores(entry: Entry, paid: bool) -> Scores:
    read = json.loads(entry.output)
    output: dict[str, Any] = read if isinstance(read, dict) else {"log_likelihoods": read}
    return Scores(
        log_likelihoods=tuple(output["log_likelihoods"]),
        lengths=tuple(json.loads(entry.output_tokens)),
        prompt_tokens=entry.prompt_tokens,
        seconds=entry.seconds,
        paid=paid,
        hidden_state=decode_state(output.get(HIDDEN_STATE, "")),
    )
