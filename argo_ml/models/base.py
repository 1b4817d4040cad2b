"""The language-model contract: lists in, lists out, same length and order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from argo_ml.errors import ModelError
from argo_ml.models.hidden_states import HiddenState
from argo_ml.types import Component, TokenDetail


@dataclass(frozen=True, slots=True)
class Prompt:
    """One chat turn: static ``system`` text first, what changes last.

    ``prefix`` is text the assistant's turn already begins with (for example ``"Answer:"``).
    The user's turn is ``history`` and then ``user``; later prompts are likely to begin with
    ``history`` as well, so that a backend may keep what it computed for it.
    """

    system: str
    user: str
    prefix: str = ""
    history: str = ""

    @property
    def turn(self) -> str:
        """The user's turn."""
        return self.history + self.user


@dataclass(frozen=True, slots=True)
class Generation:
    """A request for a continuation that ends at the first of ``stop`` (not included).

    It is greedy at ``temperature`` 0; above that it is drawn from the model's distribution at that
    temperature, and ``seed`` says which draw. With ``details`` the completion tells of its tokens,
    with ``hidden_state`` of the model's state at the prompt's end.
    ``component`` says who asks, for the accounting of time; requests that differ in it alone are
    the same. Raises ValueError for a temperature that is negative or not finite.
    """

    prompt: Prompt
    max_new_tokens: int
    stop: tuple[str, ...] = ("\n",)
    component: Component | None = field(default=None, compare=False)
    temperature: float = 0.0
    seed: int = 0
    details: bool = False
    hidden_state: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.temperature) or self.temperature < 0:
            raise ValueError(f"temperature={self.temperature}: must be finite and at least 0")


@dataclass(frozen=True, slots=True)
class Scoring:
    """A request for the log-likelihood of each choice as the continuation of a prompt.

    With ``hidden_state`` the scores tell of the model's state at the prompt's end.
    """

    prompt: Prompt
    choices: tuple[str, ...]
    component: Component | None = field(default=None, compare=False)
    hidden_state: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """The text that continues a prompt, and what it took.

    ``paid`` says whether the run that is billed executed the call (False: a cache served it).

    ``tokens`` and ``hidden_state`` are empty unless the request asked for them. Tokens are those
    that ``text`` is made of: stop strings, the end of the turn and white space before any content
    have none.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    paid: bool = True
    tokens: tuple[TokenDetail, ...] = ()
    hidden_state: HiddenState = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """Summed log-likelihood (nats) and number of tokens of each choice.

    ``hidden_state`` is empty unless the request asked for it.
    """

    log_likelihoods: tuple[float, ...]
    lengths: tuple[int, ...]
    prompt_tokens: int
    seconds: float
    paid: bool = True
    hidden_state: HiddenState = ()

    @property
    def normalised(self) -> tuple[float, ...]:
        """Log-likelihood per token of each choice."""
        return tuple(
            total / max(length, 1)
            for total, length in zip(self.log_likelihoods, self.lengths, strict=True)
        )


RequestType = TypeVar("RequestType", Generation, Scoring)
ResponseType = TypeVar("ResponseType", Completion, Scores)


class LanguageModel(Protocol):
    """Completes and scores prompts in batches.

    Where it does not take some requests of a list it answers the others and raises
    `argo_ml.models.unfit.SomeUnfitError`.
    """

    @property
    def identity(self) -> str:
        """Everything that can change an output: id, revision, precision, quantisation, backend."""

    def generate(self, requests: Sequence[Generation]) -> list[Completion]: ...

    def score(self, requests: Sequence[Scoring]) -> list[Scores]: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens that a backend has computed, and how many of them were for nothing.

    ``wasted`` are padding, and tokens of rows that had finished before their batch did.
    """

    computed: int = 0
    wasted: int = 0

    def __add__(self, other: TokenCounts) -> TokenCounts:
        return TokenCounts(self.computed + other.computed, self.wasted + other.wasted)

    def __sub__(self, other: TokenCounts) -> TokenCounts:
        return TokenCounts(self.computed - other.computed, self.wasted - other.wasted)

    @property
    def wasted_share(self) -> float:
        return self.wasted / self.computed if self.computed else 0.0


@runtime_checkable
class CountsTokens(Protocol):
    """A backend that makes up batches itself and knows what they cost."""

    @property
    def tokens(self) -> TokenCounts:
        """All tokens until now."""


@runtime_checkable
class HasBatchLimit(Protocol):
    """A backend that makes up batches itself."""

    @property
    def batch_tokens(self) -> int | None:
        """The most tokens of a batch now, after any halving; None before there was a batch."""


class UnfinishedError(ModelError):
    """Raised where some requests of a list failed.

    ``finished`` has the responses to others, by their index in the list.
    """

    def __init__(self, message: str, finished: Mapping[int, Any]) -> None:
        super().__init__(message)
        self.finished = finished

    def __reduce__(self) -> tuple[type[UnfinishedError], tuple[Any, ...]]:
        return type(self), (str(self), self.finished)


class InterruptedRequests(KeyboardInterrupt):
    """Raised where an interruption comes while requests of a list are under way.

    ``finished`` has the responses to others, by their index in the list. Of ``n_under_way`` nobody
    will know whether they were executed.
    """

    def __init__(self, finished: Mapping[int, Any], n_under_way: int) -> None:
        super().__init__()
        self.finished = finished
        self.n_under_way = n_under_way


@runtime_checkable
class MayNotScore(Protocol):
    """A backend that may turn out to be unable to score choices."""

    @property
    def can_score(self) -> bool: ...


def can_score(model: LanguageModel) -> bool:
    return model.can_score if isinstance(model, MayNotScore) else True


@runtime_checkable
class GivesHiddenStates(Protocol):
    """A backend that computes in this process, so that it can tell of the model's own state."""

    @property
    def gives_hidden_states(self) -> bool: ...


def gives_hidden_states(model: LanguageModel) -> bool:
    return isinstance(model, GivesHiddenStates) and model.gives_hidden_states


@runtime_checkable
class HasContext(Protocol):
    """A backend that takes prompts and answers of so many tokens wherever it is asked from here."""

    @property
    def context(self) -> int:
        """0 where it is not known."""


@runtime_checkable
class ReportsEvents(Protocol):
    """A backend that changes how it runs when it must, and reports that."""

    @property
    def events(self) -> Sequence[str]:
        """What it did, one line each, in order."""
