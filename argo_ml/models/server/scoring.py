"""Log-likelihoods of choices from servers: by forcing their tokens, or by echoing prompts.

Forced, every token of a choice is the only one that the server may choose next, and it reports the
log-probability that the token had before it was forced. The prompt is the same each time and goes
to one server, which computes one token for each where it keeps prompts. A server that keeps them
for all requests is asked for several tokens at once, where it has nothing else to do; llama.cpp
keeps them in the slot that has computed them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar

from argo_ml.errors import ModelError
from argo_ml.models.base import Prompt, Scores, Scoring
from argo_ml.models.server.fleet import Affinity
from argo_ml.models.server.prompting import (
    COMPLETIONS,
    GREEDY_SETTINGS,
    ByTemplate,
    ByTokens,
    Prompting,
)
from argo_ml.models.server.wire import (
    Completions,
    DetailedCompletions,
    RefusedError,
    ReportedTokens,
    TextChoice,
)

ItemType = TypeVar("ItemType")
ResultType = TypeVar("ResultType")
_PROBE = Prompt("", "What is the capital of France?", "Answer:")
_ALL = 2**20
"""More tokens than any vocabulary has."""
_LARGEST_SUM = 1.001
"""Of the probabilities of two tokens at one place, rounding included."""


class Spread(Protocol):
    """Works on the parts of a request, several at once where there is room."""

    def __call__(
        self, work: Callable[[ItemType], ResultType], parts: Sequence[ItemType], /
    ) -> list[ResultType]: ...


def one_by_one(
    work: Callable[[ItemType], ResultType], parts: Sequence[ItemType]
) -> list[ResultType]:
    return [work(part) for part in parts]


class ChoiceScoring(Protocol):
    """A way to score choices; `name` is part of the model's identity."""

    @property
    def name(self) -> str: ...

    def score(self, request: Scoring, spread: Spread = one_by_one) -> Scores:
        """Raises `ModelError`."""


def find_scoring(prompting: Prompting) -> ChoiceScoring | None:
    """The way that this server takes; None where it gives no log-probabilities of choices.

    Raises `ModelError`.
    """
    if isinstance(prompting, (ByTemplate, ByTokens)):
        forced = ForcedScoring(prompting)
        if forced.works:
            return forced
    if isinstance(prompting, ByTokens):
        echo = EchoScoring(prompting)
        if echo.works:
            return echo
    return None


def same_way(scoring: ChoiceScoring | None, prompting: Prompting) -> ChoiceScoring | None:
    """The way of ``scoring``, asking through ``prompting``."""
    if isinstance(scoring, ForcedScoring) and isinstance(prompting, (ByTemplate, ByTokens)):
        return ForcedScoring(prompting)
    if isinstance(scoring, EchoScoring) and isinstance(prompting, ByTokens):
        return EchoScoring(prompting)
    return None


@dataclass(frozen=True, slots=True)
class ForcedScoring:
    """One short request for each token that follows the prompt in any choice."""

    prompting: ByTemplate | ByTokens

    @property
    def name(self) -> str:
        return "forced"

    @property
    def works(self) -> bool:
        """Whether forced tokens come with the log-probabilities that they had before.

        Where they come with those of being forced, two at one place have more than 1 together.
        Raises `ModelError`.
        """
        prompt = self.prompting.ids(_PROBE)
        tokens = [self.prompting.plain(text)[0] for text in (" Paris", " Berlin")]
        try:
            total = sum(math.exp(self._forced(prompt, token)) for token in tokens)
        except RefusedError:
            return False
        return total <= _LARGEST_SUM

    def score(self, request: Scoring, spread: Spread = one_by_one) -> Scores:
        """Raises `ModelError`."""
        started = time.perf_counter()
        affinity = Affinity()
        prompt = self.prompting.ids(request.prompt)
        choices = [
            added_ids(self.prompting, prompt, request.prompt, choice) for choice in request.choices
        ]
        if choices:
            # Once unread: a prompt that is not kept yet is computed by other arithmetic than one
            # that is, which would tell the first choice from the others.
            self._forced(prompt, choices[0][0], affinity)
        paths = [[tuple(choice[:end]) for end in range(1, len(choice) + 1)] for choice in choices]
        distinct = list(dict.fromkeys(chain.from_iterable(paths)))
        if isinstance(self.prompting, ByTemplate):
            spread = one_by_one
        values = spread(
            lambda path: self._forced([*prompt, *path[:-1]], path[-1], affinity), distinct
        )
        known = dict(zip(distinct, values, strict=True))
        totals = [sum(known[path] for path in of_choice) for of_choice in paths]
        seconds = time.perf_counter() - started
        return Scores(tuple(totals), tuple(map(len, choices)), len(prompt), seconds)

    def _forced(self, ids: Sequence[int], token: int, affinity: Affinity | None = None) -> float:
        """Log-probability of ``token`` after ``ids``."""
        reported = self._reported(ids, token, 1, affinity)
        value = _own_value(reported, token)
        if value is None and not (reported and reported.tokens):
            value = self._listed_value(ids, token, affinity)
        if value is None:
            raise RefusedError("the server does not force tokens")
        return value

    def _listed_value(
        self, ids: Sequence[int], token: int, affinity: Affinity | None
    ) -> float | None:
        """The same where it is a part of a character: llama.cpp tells nothing of such an end.

        A whole one is forced in its place, and the log-probabilities of all tokens are listed.
        """
        [whole, *_] = self.prompting.plain(" a")
        reported = self._reported(ids, whole, _ALL, affinity)
        if _own_value(reported, whole) is None or reported is None or not reported.content:
            return None
        listed = reported.content[0].top_logprobs or []
        return next((other.logprob for other in listed if other.id == token), None)

    def _reported(
        self, ids: Sequence[int], token: int, n_top: int, affinity: Affinity | None
    ) -> ReportedTokens | None:
        body = {
            "model": self.prompting.model,
            "prompt": ids,
            "max_tokens": 1,
            "logprobs": n_top,
            **GREEDY_SETTINGS,
            **self.prompting.forcing(token),
        }
        answer = self.prompting.fleet.request(COMPLETIONS, body, DetailedCompletions, affinity)
        return answer.choices[0].logprobs


def _own_value(reported: ReportedTokens | None, token: int) -> float | None:
    """Of a generated token; None where it is another, or nothing is told of it."""
    if reported is None:
        return None
    if reported.content and reported.content[0].id == token:
        return reported.content[0].logprob
    if reported.tokens == [f"token_id:{token}"] and reported.token_logprobs:
        return reported.token_logprobs[0]
    return None


@dataclass(frozen=True, slots=True)
class EchoScoring:
    """Sends each prompt with each choice after it, and reads what `echo` returns.

    One token is generated beyond them and left out, since not every server takes 0 for an answer's
    length.
    """

    prompting: ByTokens

    @property
    def name(self) -> str:
        return "echo"

    @property
    def works(self) -> bool:
        """Whether the server gives log-probabilities of prompts. Raises `ModelError`."""
        try:
            self.score(Scoring(_PROBE, ("Paris",)))
        except RefusedError:
            return False
        return True

    def score(self, request: Scoring, spread: Spread = one_by_one) -> Scores:
        """Raises `ModelError`."""
        started = time.perf_counter()
        prompt = self.prompting.ids(request.prompt)
        choices = [
            added_ids(self.prompting, prompt, request.prompt, choice) for choice in request.choices
        ]
        totals = self._totals(prompt, choices) if choices else []
        seconds = time.perf_counter() - started
        return Scores(tuple(totals), tuple(map(len, choices)), len(prompt), seconds)

    def _totals(self, prompt: list[int], choices: Sequence[list[int]]) -> list[float]:
        body: dict[str, Any] = {
            "model": self.prompting.model,
            "prompt": [[*prompt, *choice] for choice in choices],
            "echo": True,
            "logprobs": 1,
            "max_tokens": 1,
            **GREEDY_SETTINGS,
        }
        completions = self.prompting.fleet.request(COMPLETIONS, body, Completions).choices
        by_index = {choice.index: choice for choice in completions}
        if by_index.keys() != set(range(len(choices))):
            raise RefusedError(
                f"{len(completions)} completions came back for {len(choices)} prompts"
            )
        return [
            _log_likelihood(by_index[index], len(prompt), len(prompt) + len(choice))
            for index, choice in enumerate(choices)
        ]


def added_ids(
    prompting: ByTemplate | ByTokens, prompt: list[int], request: Prompt, choice: str
) -> list[int]:
    """Ids that ``choice`` adds to the prompt's; those of its text alone where they merge."""
    begin = request.prefix
    continuation = choice if not begin or begin[-1].isspace() else f" {choice}"
    whole = prompting.ids(request, continuation)
    if whole[: len(prompt)] == prompt and len(whole) > len(prompt):
        return whole[len(prompt) :]
    ids = prompting.plain(continuation)
    if not ids:
        raise ModelError(f"choice={choice!r}: has no text to score; give it some")
    return ids


def _log_likelihood(choice: TextChoice, start: int, end: int) -> float:
    """Summed log-likelihood of the tokens from ``start`` to ``end``."""
    given = choice.logprobs.token_logprobs if choice.logprobs else []
    values = [value for value in given[start:end] if value is not None and math.isfinite(value)]
    if len(values) != end - start:
        raise RefusedError(
            f"{len(given)} log-probabilities came back for {end} tokens of a prompt; "
            "use answering=number"
        )
    return sum(values)
