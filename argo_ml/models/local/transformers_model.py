"""The Transformers backend: a local folder, a hub id or a GGUF file, on the CPU or on GPUs."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import transformers

from argo_ml.config import DEFAULT_THINKING_TOKENS
from argo_ml.devices import torch_memory
from argo_ml.errors import ModelError
from argo_ml.models.base import (
    Completion,
    Generation,
    ResponseType,
    Scores,
    Scoring,
    TokenCounts,
)
from argo_ml.models.chat import ChatFormat, PromptIds, cut_at_stop
from argo_ml.models.local import decoding
from argo_ml.models.local.batching import Batcher, RequestSize, out_of_memory_noticed
from argo_ml.models.local.endings import Endings
from argo_ml.models.local.engine_check import choose_decoder
from argo_ml.models.local.hidden_states import PromptStates
from argo_ml.models.local.prefix_cache import PrefixCache
from argo_ml.models.local.sampling import Chooser, TokenStatistics, needs_only_the_most_probable
from argo_ml.models.reasoning import marked_thinking, reply_start
from argo_ml.models.token_details import added_texts, within
from argo_ml.models.unfit import beyond_context, run_fitting
from argo_ml.types import TokenDetail

logger = logging.getLogger(__name__)

REQUEST_TOKENS = 512
"""What a prompt with passages and its answer take, roughly."""
CPU_REQUESTS = 32
"""Requests at once on a CPU: a step of decoding reads all weights, for few rows as for many, until
their products take longer."""
_BEYOND_FIRST, _BEYOND_LAST = -1, sys.maxsize
"""The kinds of prompts that are longer than where positions are scaled otherwise: before all others
and after them."""


@dataclass(frozen=True, slots=True)
class _ScoringIds:
    """A prompt and the token ids of each of its choices."""

    prompt: PromptIds
    choices: list[list[int]]


class TransformersModel:
    """A causal language model that completes prompts and scores choices.

    ``model`` and ``tokenizer`` are loaded ones of Transformers, ``contents`` stands for their
    files in the identity, ``batch_tokens`` is the largest batch with its padding; it shrinks for
    good when memory runs out, which ``on_event`` receives as a line, and for a batch where
    ``fitting_now`` says less. ``prefix_bytes`` is the memory for prompts' beginnings that later
    prompts repeat. ``engine`` is auto or plain, as `choose_decoder` takes it. A model that may
    think has ``thinking_tokens`` for that, beside what a request asks for.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        contents: str,
        precision: str,
        batch_tokens: int,
        prefix_bytes: int = 0,
        on_event: Callable[[str], None] = logger.warning,
        engine: str = "auto",
        fitting_now: Callable[[], int] | None = None,
        thinking_tokens: int = DEFAULT_THINKING_TOKENS,
    ) -> None:
        self._network, self._tokenizer = model, tokenizer
        self._chat = ChatFormat(tokenizer)
        # Before the plain decoder takes the model's generation settings away.
        self._end_ids = _end_ids(model, tokenizer)
        self._has_thought = False
        self._thinking_tokens = thinking_tokens
        self._prefixes = PrefixCache(prefix_bytes)
        self._decoder = choose_decoder(model, self._prefixes, engine, on_event)
        self._context = context_tokens(model.config)
        self._rescaled_from = rescaled_from(model.config)
        self._is_beyond = False
        self._batcher = Batcher(batch_tokens, self._release_memory, on_event, fitting_now)
        self._identity = " ".join(
            (
                "transformers",
                contents,
                precision,
                model.device.type,
                self._chat.name,
                f"decoding={decoding.VERSION}",
                f"transformers={_minor(transformers.__version__)}",
                f"torch={_minor(torch.__version__)}",
                *(["engine=plain"] if engine == "plain" else []),
            )
        ) + (marked_thinking(thinking_tokens) if self._chat.may_think else "")

    @property
    def identity(self) -> str:
        """Contents, precision, kind of device, prompt format, decoding and library versions.

        A plain path that was asked for is part of it, so that its calls are not those of the fast
        one; one that an architecture needs follows from the versions.

        What differs by rounding alone is left out: the batch that a request ran in, the number of
        threads, the model of the processor, and patch releases of the libraries.
        """
        return self._identity

    @property
    def tokens(self) -> TokenCounts:
        """What was computed until now."""
        return self._decoder.tokens

    @property
    def batch_tokens(self) -> int:
        """The most tokens of a batch, which is less once memory has run out."""
        return self._batcher.limit

    @property
    def thinking_context(self) -> int | None:
        """Tokens of the context where the model may think; None where not, or that is unknown."""
        return self._context if self._chat.may_think else None

    @property
    def gives_hidden_states(self) -> bool:
        return True

    @property
    def requests_at_once(self) -> int:
        """As many as fit, on the CPU at most `CPU_REQUESTS`; 1 where each is computed alone."""
        if not self._decoder.batches:
            return 1
        fitting = self._batcher.limit // REQUEST_TOKENS
        return fitting if self._network.device.type != "cpu" else min(fitting, CPU_REQUESTS)

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        """Raises `SomeUnfitError` for prompts beyond the model's context, `ModelError` for one
        that memory cannot take."""
        prompts = self._encode(requests)
        sizes = [
            replace(
                self._size(prompt, self._limit(request, self._has_thought)),
                kind=self._kind(row, prompt, self._limit(request, self._chat.may_think)),
            )
            for row, (prompt, request) in enumerate(zip(prompts, requests, strict=True))
        ]
        # Room for reasoning is what the context leaves of it, whatever was generated before.
        needed = [
            len(prompt.ids) + request.max_new_tokens
            for prompt, request in zip(prompts, requests, strict=True)
        ]

        def run(batch: list[int]) -> list[Completion]:
            return self._complete([requests[i] for i in batch], [prompts[i] for i in batch])

        return self._run_fitting(sizes, needed, run)

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        """Score each choice as the continuation of its prompt.

        A space goes before a choice where the prompt's text does not end in white space. A
        choice's tokens are those that it adds to the prompt's; where the tokenizer would merge
        across the border, its text is tokenized on its own. The end of the turn is not scored.
        Raises `SomeUnfitError` for prompts beyond the model's context, `ModelError` for a choice
        without text.
        """
        ids = self._encode_scorings(requests)
        longest = [max(map(len, item.choices), default=0) for item in ids]
        sizes = [
            replace(
                self._size(item.prompt, new, copies=len(item.choices), shared=True),
                kind=self._kind(row, item.prompt, new),
            )
            for row, (item, new) in enumerate(zip(ids, longest, strict=True))
        ]

        def run(batch: list[int]) -> list[Scores]:
            return self._score([requests[i] for i in batch], [ids[i] for i in batch])

        return self._run_fitting(sizes, [size.length + size.new for size in sizes], run)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of plain texts, without special tokens."""
        return [len(ids) for ids in self._plain_ids(texts)]

    def _size(
        self, prompt: PromptIds, new: int, copies: int = 1, shared: bool = False
    ) -> RequestSize:
        known = self._prefixes.cached_tokens(prompt.ids)
        return RequestSize(len(prompt.ids) - known, new, copies, shared, known)

    def _complete(
        self, requests: Sequence[Generation], prompts: Sequence[PromptIds]
    ) -> list[Completion]:
        started = time.perf_counter()
        chooser, states = Chooser(requests), PromptStates(requests)
        endings = Endings(self._chat, self._end_ids, requests, self._thinking_tokens)
        is_plain = all(map(needs_only_the_most_probable, requests))
        choose = decoding.most_probable if is_plain else chooser
        with out_of_memory_noticed():
            limits = [
                min(self._limit(request, self._chat.may_think), self._left(prompt))
                for request, prompt in zip(requests, prompts, strict=True)
            ]
            outputs = self._decoder.generate(prompts, limits, endings, choose, states.on_states)
        seconds = (time.perf_counter() - started) / len(requests)
        # Batches have no room for reasoning until a model turns out to write it.
        self._has_thought = self._has_thought or any(endings.thoughts)
        return [
            Completion(
                self._cut(request, new_ids)[0],
                len(prompt.ids),
                len(new_ids),
                seconds,
                tokens=self._details(request, new_ids, statistics) if request.details else (),
                hidden_state=state,
            )
            for request, prompt, new_ids, statistics, state in zip(
                requests, prompts, outputs, chooser.statistics, states.by_row, strict=True
            )
        ]

    def _limit(self, request: Generation, thinks: bool) -> int:
        """Most new tokens, those of reasoning included."""
        return request.max_new_tokens + (self._thinking_tokens if thinks else 0)

    def _kind(self, row: int, prompt: PromptIds, new: int) -> int:
        """What may share a batch, by where positions are scaled otherwise, if anywhere.

        Prompts up to there, those beyond, and each that passes it on the way alone: the longest
        row of a pass decides for all of them. Those of which beginnings are kept come first.
        """
        limit, length = self._rescaled_from, len(prompt.ids)
        if length > limit:
            return _BEYOND_FIRST if self._is_beyond else _BEYOND_LAST
        return 0 if length + new <= limit else 1 + row

    def _begin(self, kind: int) -> None:
        """Forget beginnings whose positions were scaled otherwise."""
        is_beyond = kind in (_BEYOND_FIRST, _BEYOND_LAST)
        if is_beyond != self._is_beyond:
            self._prefixes.clear()
            self._is_beyond = is_beyond

    def _left(self, prompt: PromptIds) -> int:
        """Tokens that the context leaves beside a prompt."""
        return self._context - len(prompt.ids) if self._context else sys.maxsize

    def _cut(self, request: Generation, new_ids: list[int]) -> tuple[str, bool]:
        return cut_at_stop(self._text(new_ids), request.stop)

    def _text(self, new_ids: Sequence[int]) -> str:
        return self._chat.text(new_ids)

    def _details(
        self, request: Generation, new_ids: list[int], statistics: Sequence[TokenStatistics]
    ) -> tuple[TokenDetail, ...]:
        """Details of the tokens that the completion's text is made of."""
        texts = added_texts([self._text(new_ids[:n]) for n in range(1, len(new_ids) + 1)])
        # Special tokens have no text, neither by themselves nor among others.
        tokens = [
            TokenDetail(
                text,
                of_token.log_probability,
                of_token.entropy,
                of_token.gap,
            )
            for token, text, of_token in zip(new_ids, texts, statistics, strict=False)
            if text or self._text([token])
        ]
        whole = self._text(new_ids)
        text, is_cut = self._cut(request, new_ids)
        begin = reply_start(whole)
        return within(tokens, begin, begin + len(text) if is_cut else len(whole) + 1)

    def _score(self, requests: Sequence[Scoring], batch: Sequence[_ScoringIds]) -> list[Scores]:
        started, states = time.perf_counter(), PromptStates(requests)
        with out_of_memory_noticed():
            totals = self._decoder.choice_log_likelihoods(
                [item.prompt for item in batch], [item.choices for item in batch], states.on_states
            )
        seconds = (time.perf_counter() - started) / len(batch)
        return [
            Scores(
                tuple(values),
                tuple(map(len, item.choices)),
                len(item.prompt.ids),
                seconds,
                hidden_state=state,
            )
            for item, values, state in zip(batch, totals, states.by_row, strict=True)
        ]

    def _encode(self, requests: Sequence[Generation | Scoring]) -> list[PromptIds]:
        encoded = self._chat.encode_prompts([request.prompt for request in requests])
        if not all(prompt.ids for prompt in encoded):
            raise ModelError("a prompt has no text and the model no chat template; give it text")
        return encoded

    def _encode_scorings(self, requests: Sequence[Scoring]) -> list[_ScoringIds]:
        prompts = self._encode(requests)
        texts = [self._chat.render(request.prompt) for request in requests]
        whole = iter(
            self._chat.encode(
                [
                    text + _continuation(text, choice)
                    for text, request in zip(texts, requests, strict=True)
                    for choice in request.choices
                ]
            )
        )
        return [
            _ScoringIds(
                prompt,
                [self._added(prompt.ids, next(whole), text, choice) for choice in request.choices],
            )
            for prompt, text, request in zip(prompts, texts, requests, strict=True)
        ]

    def _added(self, prompt: list[int], whole: list[int], text: str, choice: str) -> list[int]:
        """Ids that ``choice`` adds to the prompt's."""
        if whole[: len(prompt)] == prompt and len(whole) > len(prompt):
            return whole[len(prompt) :]
        [ids] = self._plain_ids([_continuation(text, choice)])
        if not ids:
            raise ModelError(f"choice={choice!r}: has no text to score; give it some")
        return ids

    def _plain_ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=False).input_ids
        return encoded

    def _release_memory(self) -> None:
        self._prefixes.clear()
        torch_memory.release()

    def _run_fitting(
        self,
        sizes: Sequence[RequestSize],
        needed: Sequence[int],
        run: Callable[[list[int]], Sequence[ResponseType]],
    ) -> list[ResponseType]:
        """Run all that need no more tokens than the context has."""

        def run_batches(fitting: list[int]) -> Sequence[ResponseType]:
            kept = [sizes[index] for index in fitting]

            def run_batch(batch: list[int]) -> Sequence[ResponseType]:
                self._begin(kept[batch[0]].kind)
                return run([fitting[at] for at in batch])

            return self._batcher.run(kept, run_batch)

        return run_fitting(run_batches, len(sizes), beyond_context(needed, self._context, "tokens"))


def _continuation(text: str, choice: str) -> str:
    return choice if not text or text[-1].isspace() else f" {choice}"


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a turn, by the model's generation settings and its tokenizer."""
    settings = getattr(model, "generation_config", None)
    configured = getattr(settings, "eos_token_id", None)
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id) if token is not None)


def context_tokens(config: Any) -> int | None:
    """Composite configurations, such as those of models that see, have it in their text part."""
    text = config.get_text_config(decoder=True)
    names = ("max_position_embeddings", "max_seq_len", "max_sequence_length")
    return next((size for name in names if (size := getattr(text, name, None))), None)


def rescaled_from(config: Any) -> int:
    """Tokens beyond which positions are scaled otherwise, with longrope (Ding et al. 2024)."""
    scaling = getattr(config.get_text_config(decoder=True), "rope_parameters", None) or {}
    parts = [scaling, *(part for part in scaling.values() if isinstance(part, dict))]
    limits = [
        part["original_max_position_embeddings"]
        for part in parts
        if part.get("rope_type") == "longrope"
    ]
    return min(limits, default=sys.maxsize)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
