"""A model behind servers with OpenAI's interface."""

from __future__ import annotations

import bisect
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from argo_ml.config import DEFAULT_THINKING_TOKENS
from argo_ml.errors import ModelError
from argo_ml.models.base import (
    Completion,
    Generation,
    InterruptedRequests,
    Prompt,
    RequestType,
    ResponseType,
    Scores,
    Scoring,
    UnfinishedError,
)
from argo_ml.models.chat import cut_at_stop
from argo_ml.models.reasoning import is_unfinished, reply_start, without_reasoning
from argo_ml.models.server.prompting import GREEDY_SETTINGS, MOST_TOP, Prompting
from argo_ml.models.server.replies import ServerReply
from argo_ml.models.server.request_pool import RequestPool, share_time
from argo_ml.models.server.scoring import ChoiceScoring
from argo_ml.models.server.wire import FILTER, RefusedError, TokenUsage, UnfitPromptError
from argo_ml.models.token_details import within
from argo_ml.models.unfit import UnfitRequestError, all_or_unfit

_DETAIL_TRIES = 2
"""A gateway may have a request that one server behind it has refused answered by another."""
_LARGEST_SEED = 2**31 - 1


class ServerModel:
    """Completes prompts, and scores choices where ``scoring`` is given.

    Requests run ``n_at_once`` at a time; their ``seconds`` add up to the time that a list took.
    What had finished before a failure comes with the `UnfinishedError`, and before an interruption
    with the `InterruptedRequests`. The entropies of `TokenDetail` are lower bounds of ``n_top``
    tokens at each place: what a server does not report of a distribution counts as one further
    outcome. ``context`` is the most tokens of a prompt and its answer, 0 where that is unknown. A
    model that thinks has ``thinking_tokens`` for that beside what a request asks for; one that was
    not seen to when it was opened once a request without has ended within reasoning.
    """

    def __init__(
        self,
        identity: str,
        prompting: Prompting,
        scoring: ChoiceScoring | None,
        n_at_once: int,
        n_top: int = MOST_TOP,
        context: int = 0,
        thinking_tokens: int = DEFAULT_THINKING_TOKENS,
    ) -> None:
        self._identity = identity
        self._prompting = prompting
        self._scoring = scoring
        self._pool = RequestPool(n_at_once)
        self.requests_at_once = n_at_once
        self.context = context
        self._counts: dict[str, int] = {}
        self._n_top = n_top
        self._thinking_tokens = thinking_tokens

    @property
    def identity(self) -> str:
        """What the server reports of its model and software, and how it is asked.

        Precision, quantisation and revision are in it where the server reports them. Addresses are
        not: servers of the same identity stand for one another.
        """
        return self._identity

    @property
    def can_score(self) -> bool:
        return self._scoring is not None

    @property
    def thinks(self) -> bool:
        """Whether every answer begins with reasoning."""
        return self._prompting.thinks

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        """Raises `ModelError`, also for details that the server does not give."""
        return self._timed(self._complete, requests)

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        """Raises `ModelError`, always where the server gives no log-probabilities of choices."""
        if self._scoring is None and requests:
            raise ModelError(
                "the server gives no log-probabilities of choices; use answering=number"
            )
        return self._timed(self._score, requests)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of plain texts, as `Prompting` counts or estimates them; remembered."""
        unknown = [text for text in dict.fromkeys(texts) if text not in self._counts]
        counted = self._pool.run(self._prompting.count_tokens, unknown)
        self._counts.update(zip(unknown, counted, strict=True))
        return [self._counts[text] for text in texts]

    def _timed(
        self, work: Callable[[RequestType], ResponseType], requests: Sequence[RequestType]
    ) -> list[ResponseType]:
        started = time.perf_counter()
        try:
            results = dict(enumerate(self._pool.run(partial(_tried, work), requests)))
        except UnfinishedError as error:
            responses, _ = _responses_and_refusals(error.finished)
            raise UnfinishedError(str(error), share_time(responses, started)) from None
        except InterruptedRequests as interrupted:
            responses, _ = _responses_and_refusals(interrupted.finished)
            shared = share_time(responses, started)
            raise InterruptedRequests(shared, interrupted.n_under_way) from None
        responses, refused = _responses_and_refusals(results)
        return all_or_unfit(share_time(responses, started), refused)

    def _complete(self, request: Generation) -> Completion:
        started = time.perf_counter()
        replies: list[ServerReply] = []
        answer, has_room = self._replied(request, replies)
        whole = "<think>" if answer.is_empty and not answer.stopped else answer.text
        text = cut_at_stop(whole, request.stop)[0]
        is_longer = has_room or not self._prompting.limits_tokens
        if is_longer and not is_unfinished(text):
            text = self._limited(text, request.max_new_tokens)
        begin = reply_start(answer.text)
        tokens = within(answer.tokens, begin, begin + len(text))
        # What is asked again is paid for again.
        usages = [reply.usage or self._counted(request.prompt, reply.text) for reply in replies]
        n_prompt = sum(usage.prompt_tokens for usage in usages)
        n_completion = sum(usage.completion_tokens for usage in usages)
        seconds = time.perf_counter() - started
        return Completion(text, n_prompt, n_completion, seconds, tokens=tokens)

    def _replied(self, request: Generation, replies: list[ServerReply]) -> tuple[ServerReply, bool]:
        """The answer, and whether it had room for reasoning: always, or where it took its limit.

        All that the server has answered is added to ``replies``. Raises `UnfitRequestError` where
        it has nothing to say.
        """
        answer = None if self._prompting.thinks else self._asked(request, replies)
        if answer is not None and not _ended_in_reasoning(answer):
            return self._said(answer), False
        # A context may have no room beside the prompt.
        with contextlib.suppress(UnfitPromptError):
            return self._said(self._asked(request, replies, self._thinking_tokens)), True
        return self._said(answer or self._asked(request, replies)), False

    def _said(self, answer: ServerReply) -> ServerReply:
        """The answer; raises `UnfitRequestError` where there is none, nor any sign of a model's.

        What a model that thinks says without a reply is reasoning, whatever was counted.
        """
        if answer.ending == FILTER and (answer.is_empty or answer.is_unsaid):
            raise UnfitRequestError("the server's filter has left nothing of the answer")
        is_unsaid = answer.is_unsaid or (self._prompting.thinks and answer.is_empty)
        if answer.stopped and is_unsaid:
            raise UnfitRequestError("the server has answered nothing, asked twice")
        return answer

    def _asked(self, request: Generation, replies: list[ServerReply], room: int = 0) -> ServerReply:
        """The answer; an empty one is asked for again, as a whole."""
        settings = {**_drawing(request), "max_tokens": request.max_new_tokens + room}
        stop = {"stop": list(request.stop)} if request.stop and not room else {}
        replies.append(self._answer(request, {**settings, **stop}))
        if replies[-1].stopped and not without_reasoning(replies[-1].text):
            # White space and reasoning, with which a turn may open, do not count as a stop.
            replies.append(self._answer(request, settings))
        return replies[-1]

    def _limited(self, text: str, n_tokens: int) -> str:
        """As much of a reply's beginning as so many tokens hold, its reasoning apart."""

        def count(n_characters: int) -> int:
            return self._prompting.count_tokens(text[:n_characters])

        if count(len(text)) <= n_tokens:
            return text
        return text[: bisect.bisect_right(range(len(text)), n_tokens, key=count) - 1]

    def _answer(self, request: Generation, settings: Mapping[str, Any]) -> ServerReply:
        if not request.details:
            return self._prompting.complete(request.prompt, settings)
        for _ in range(_DETAIL_TRIES):
            with contextlib.suppress(RefusedError):
                return self._prompting.complete(request.prompt, settings, self._n_top)
        # A request that is refused without details as well has another fault, and says which.
        self._prompting.complete(request.prompt, settings)
        raise ModelError(
            "the server gives no log-probabilities of the tokens that it generates; use a policy "
            "that needs none, a server that gives them (vLLM, llama.cpp) or a model in this process"
        )

    def _counted(self, prompt: Prompt, text: str) -> TokenUsage:
        """What the server has not counted itself; its template's own tokens are left out."""
        parts = (prompt.system, prompt.turn, prompt.prefix)
        n_prompt = sum(self._prompting.count_tokens(part) for part in parts)
        n_text = self._prompting.count_tokens(text)
        return TokenUsage(prompt_tokens=n_prompt, completion_tokens=n_text)

    def _score(self, request: Scoring) -> Scores:
        assert self._scoring is not None
        return self._scoring.score(request, self._pool.spread)


def _tried(
    work: Callable[[RequestType], ResponseType], request: RequestType
) -> ResponseType | UnfitRequestError:
    """The response, or why the server takes others but not this request."""
    try:
        return work(request)
    except UnfitRequestError as error:
        return error


def _responses_and_refusals(
    results: Mapping[int, ResponseType | UnfitRequestError],
) -> tuple[dict[int, ResponseType], dict[int, str]]:
    """The responses, and the reasons of the refused."""
    refused = {
        index: str(result)
        for index, result in results.items()
        if isinstance(result, UnfitRequestError)
    }
    responses = {
        index: result
        for index, result in results.items()
        if not isinstance(result, UnfitRequestError)
    }
    return responses, refused


def _ended_in_reasoning(answer: ServerReply) -> bool:
    """Whether the limit cut reasoning off, also where a server hides it and says nothing at all."""
    hidden = answer.is_empty and answer.ending != FILTER
    return not answer.stopped and (hidden or is_unfinished(answer.text))


def _drawing(request: Generation) -> Mapping[str, Any]:
    """How the server is to draw tokens."""
    if not request.temperature:
        return GREEDY_SETTINGS
    # Servers take seeds of different size, and some a negative one for none.
    seed = request.seed % (_LARGEST_SEED + 1)
    return {**GREEDY_SETTINGS, "temperature": request.temperature, "seed": seed}
