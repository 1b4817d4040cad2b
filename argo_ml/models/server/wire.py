"""What servers answer: the parts of it that are read, and the ways in which it can be wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import httpx2
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from argo_ml.errors import ModelError
from argo_ml.models.server.failures import (
    beginning,
    content_of,
    failure_of,
    message_of,
    status_of,
)
from argo_ml.models.server.keys import key_advice
from argo_ml.models.server.rests import rest_s
from argo_ml.models.unfit import UnfitRequestError

AnswerType = TypeVar("AnswerType", bound=BaseModel)

LOWEST_LOGPROB = -9999.0
"""What vLLM itself says instead of minus infinity."""
_HIGHEST_LOGPROB = 0.1
"""Rounding takes some of a certain token a little above 0."""
MOST_TOKENS = 10**9
"""Of one request; a larger count is none, and the sum of billions of smaller ones fits 64 bits."""
FILTER = "content_filter"
"""Why an answer has ended that a filter has withheld."""
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})
"""HTTP statuses after which the same request may succeed; those from 520 on are Cloudflare's, of a
server that it does not reach, and 529 is of one that is overloaded."""
_AWAY = frozenset({502, 503, 504, 521, 522, 523})
"""Those of them that are said in the place of a server that is not there, or is not ready."""
_NO_ACCESS = frozenset({401, 403})
_UNFIT = frozenset({400, 413, 422})
"""HTTP statuses for a request that is too long, or that says what the server does not take."""
_ABOUT_KEY = re.compile(r"\bAPI[ _-]?key\b|\bAuthorization header\b", re.IGNORECASE)
"""What a server speaks of that refuses a key by 400 (Gemini)."""
_ABOUT_CONTENT = re.compile(r"\bflagged\b|\bmoderat|\bcontent[ _-](?:policy|filter)", re.IGNORECASE)
"""What a server speaks of that refuses by 403 not a key but what a request says (OpenRouter)."""
_BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource"})
"""Why an answer has ended that is not whole: OpenRouter's and Mistral's word, that of vLLM and
SGLang, and DeepSeek's."""


class PassingError(ModelError):
    """A failure after which the same request may succeed, not before ``rest_s`` seconds."""

    def __init__(self, message: str, rest_s: float = 0.0) -> None:
        super().__init__(message)
        self.rest_s = rest_s


class AwayError(PassingError):
    """The server is not there, as far as can be told: it may be starting."""


class LimitError(PassingError):
    """The server takes fewer requests, or fewer tokens, in a time than it gets."""


class GarbageError(PassingError):
    """An answer that is none; a proxy may have given it."""


class RefusedError(ModelError):
    """An answer that stays the same however often the request is made."""


class UnfitPromptError(RefusedError, UnfitRequestError):
    """A request that is too long for the server, or that it refuses for what it says."""


class NoAccessError(RefusedError):
    """The server does not take the key, or wants one."""


class NotThereError(RefusedError):
    """There is nothing at this path, or no model of this name."""


def _count_or_0(value: object) -> int:
    return value if type(value) is int and 0 < value <= MOST_TOKENS else 0


def _dict_or_empty(value: object) -> object:
    return value if isinstance(value, dict) else {}


class TokenSplit(BaseModel):
    """What generated tokens were for, where a server says so."""

    reasoning_tokens: Annotated[int, BeforeValidator(_count_or_0)] = 0


class TokenUsage(BaseModel):
    prompt_tokens: int = Field(ge=0, le=MOST_TOKENS)
    completion_tokens: int = Field(0, ge=0, le=MOST_TOKENS)
    total_tokens: Annotated[int, BeforeValidator(_count_or_0)] = 0
    completion_tokens_details: Annotated[TokenSplit, BeforeValidator(_dict_or_empty)] = TokenSplit()

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of reasoning: as counted, or what the total has beyond the two others (Gemini)."""
        beyond = self.total_tokens - self.prompt_tokens - self.completion_tokens
        return self.completion_tokens_details.reasoning_tokens or max(0, beyond)


def _counted_or_none(value: object) -> object:
    """An answer is one without its counts, which some servers leave out, empty or unfinished."""
    if isinstance(value, TokenUsage):
        return value
    if not isinstance(value, dict):
        return None
    counts = value.get("prompt_tokens"), value.get("completion_tokens", 0)
    return None if None in counts else value


Usage = Annotated[TokenUsage | None, BeforeValidator(_counted_or_none)]
"""What a server has counted; None where it has not. A count that cannot be one is an error."""


def _log_probability(value: float) -> float:
    if not value <= _HIGHEST_LOGPROB:
        raise ValueError(f"{value} is no log-probability")
    return max(value, LOWEST_LOGPROB)


LogProbability = Annotated[float, AfterValidator(_log_probability)]
"""In nats; of what is impossible to the model the lowest, so that sums stay finite."""


class LogProbs(BaseModel):
    """Log-probabilities of the tokens of a prompt and its continuation; the first has none."""

    token_logprobs: list[LogProbability | None]


class Choice(BaseModel):
    """What every answer has: why it has ended, and what went wrong with it (OpenRouter)."""

    finish_reason: str | None = None
    error: Any = None


class TextChoice(Choice):
    index: int = 0
    text: str
    logprobs: LogProbs | None = None


class Completions(BaseModel):
    """The answer of ``/v1/completions``."""

    choices: list[TextChoice] = Field(min_length=1)
    usage: Usage = None


def _joined(content: object) -> object:
    """The text of a message that comes in parts; those that are no text are left out."""
    if not isinstance(content, list):
        return content
    parts = [part if isinstance(part, dict) else {"text": part} for part in content]
    return "".join(text for part in parts if isinstance(text := part.get("text"), str))


class Message(BaseModel):
    """A reply; servers that take reasoning out of it give that beside, under one of two names."""

    content: Annotated[str | None, BeforeValidator(_joined)] = None
    reasoning_content: Annotated[str | None, BeforeValidator(_joined)] = None
    reasoning: Annotated[str | None, BeforeValidator(_joined)] = None

    @property
    def text(self) -> str:
        """The reply, or the reasoning that it never came to, as models write it themselves."""
        return self.content or (f"<think>\n{self.reasons}" if self.reasons else "")

    @property
    def reasons(self) -> str:
        """Reasoning beside the reply."""
        return self.reasoning_content or self.reasoning or ""


class ChatChoice(Choice):
    message: Annotated[Message, BeforeValidator(lambda value: {} if value is None else value)]


class ChatAnswer(BaseModel):
    """What answers of ``/v1/chat/completions`` have in common."""

    usage: Usage = None

    @model_validator(mode="before")
    @classmethod
    def _withheld(cls, content: Any) -> Any:
        """An empty reply in the place of none: a filter has withheld it.

        Gemini has no ``choices`` then. What tells of an error is no answer.
        """
        if not isinstance(content, dict) or content.get("error"):
            return content
        is_chat = "choices" in content or content.get("object") == "chat.completion"
        if not is_chat or content.get("choices") not in (None, []):
            return content
        return {**content, "choices": [{"message": {}, "finish_reason": FILTER}]}


class ChatCompletions(ChatAnswer):
    """The answer of ``/v1/chat/completions``."""

    choices: list[ChatChoice] = Field(min_length=1)


class Alternative(BaseModel):
    """A token that might have come at some place, and its log-probability (nats).

    llama.cpp names its ``id`` as well.
    """

    token: str
    logprob: LogProbability
    id: int | None = None


class ReportedToken(Alternative):
    """A generated token, and the most probable ones at its place; ``bytes`` are its text's."""

    bytes: list[Annotated[int, Field(ge=0, le=255)]] | None = None
    top_logprobs: list[Alternative] | None = None


class ReportedTokens(BaseModel):
    """Generated tokens: in ``content`` as chats have them, and llama.cpp everywhere, or apart.

    ``token_logprobs`` and ``top_logprobs`` go with ``tokens``.
    """

    content: list[ReportedToken] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[LogProbability] | None = None
    top_logprobs: list[dict[str, LogProbability] | None] | None = None


class DetailedTextChoice(Choice):
    text: str
    logprobs: ReportedTokens | None = None


class DetailedCompletions(BaseModel):
    """The answer of ``/v1/completions`` where log-probabilities were asked for."""

    choices: list[DetailedTextChoice] = Field(min_length=1)
    usage: Usage = None


class DetailedChatChoice(ChatChoice):
    logprobs: ReportedTokens | None = None


class DetailedChatCompletions(ChatAnswer):
    """The answer of ``/v1/chat/completions`` where log-probabilities were asked for."""

    choices: list[DetailedChatChoice] = Field(min_length=1)


class ModelSize(BaseModel):
    """What the llama.cpp server reports of its model's file, and the context of each slot."""

    n_params: int = 0
    size: int = 0
    n_ctx: int = 0


class ModelCard(BaseModel):
    """A served model; ``root`` is where vLLM has loaded it from."""

    id: str
    root: str | None = None
    owned_by: str | None = None
    meta: ModelSize | None = None
    max_model_len: int | None = None

    @property
    def context(self) -> int:
        """Most tokens of a prompt and its answer; 0 where the server does not tell."""
        return self.max_model_len or (self.meta.n_ctx if self.meta else 0)


class ModelList(BaseModel):
    """The answer of ``/v1/models``."""

    data: list[ModelCard]


class Properties(BaseModel):
    """The answer of the llama.cpp server's ``/props``."""

    total_slots: int = Field(0, ge=0)


class Version(BaseModel):
    """The answer of vLLM's ``/version``."""

    version: str


class AppliedTemplate(BaseModel):
    """The answer of the llama.cpp server's ``/apply-template``."""

    prompt: str


class DetokenizedText(BaseModel):
    """The answer of ``/detokenize``: vLLM says ``prompt``, SGLang ``text``."""

    prompt: str = Field(validation_alias=AliasChoices("prompt", "text"))


class TokenizedText(BaseModel):
    """The answer of ``/tokenize``, as vLLM and the llama.cpp server both have it."""

    tokens: list[int]


def read(
    response: httpx2.Response, expected: type[AnswerType], secrets: Sequence[str] = ()
) -> AnswerType:
    """The body of ``response``.

    Raises `PassingError` for what may pass, garbage and answers that are not whole among it, and
    `RefusedError` for the rest. They name none of ``secrets``, which a server may repeat.
    """
    if not response.is_success:
        failure = failure_of(response, secrets)
        raise error_of(response.status_code, failure, rest_s(response))
    if b'"error"' in response.content and content_of(response).get("error"):
        raise _error_within(response, secrets)
    try:
        answer = expected.model_validate_json(response.content)
    except ValidationError as error:
        begin = beginning(response.content.decode(errors="replace"), 60, secrets)
        raise GarbageError(
            f"answers {begin!r}, which is no answer of an OpenAI-compatible server"
            f"{_fault(error, secrets)}"
        ) from None
    for choice in getattr(answer, "choices", ()):
        _check_whole(choice, secrets)
    return answer


def error_of(status: int, failure: str, rest: float) -> ModelError:
    """What an HTTP status means for the request; ``failure`` is what the server says."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return LimitError(failure, rest)
    if status in PASSING:
        return (AwayError if status in _AWAY else PassingError)(failure, rest)
    if status == HTTPStatus.FORBIDDEN and _ABOUT_CONTENT.search(failure):
        return UnfitPromptError(failure)
    if status in _NO_ACCESS or (status == HTTPStatus.BAD_REQUEST and _ABOUT_KEY.search(failure)):
        return NoAccessError(f"{failure}; {key_advice()}")
    if status == HTTPStatus.NOT_FOUND:
        return NotThereError(failure)
    return (UnfitPromptError if status in _UNFIT else RefusedError)(failure)


def _error_within(response: httpx2.Response, secrets: Sequence[str]) -> ModelError:
    """Of an answer that is said to be one, and tells of an error instead."""
    content = content_of(response)
    said, status = message_of(content, secrets), status_of(content)
    if not status:
        return GarbageError(f"answers with an error ({said})")
    failure = f"HTTP {response.status_code}, error {status} ({said})"
    return error_of(status, failure, rest_s(response))


def _check_whole(choice: Choice, secrets: Sequence[str]) -> None:
    """Raises for an answer that an error has broken off: what there is of it is not the model's."""
    if not (choice.error or choice.finish_reason in _BROKEN_OFF):
        return
    content = {"error": choice.error}
    said, status = message_of(content, secrets), status_of(content)
    said = said or f"finish_reason={beginning(str(choice.finish_reason), 60, secrets)}"
    failure = f"has broken an answer off ({said})"
    raise error_of(status, failure, 0.0) if status else PassingError(failure)


def _fault(error: ValidationError, secrets: Sequence[str]) -> str:
    """Which value is out of its range or of another type than it should be."""
    [first, *_] = error.errors(include_url=False, include_input=False)
    where = ".".join(map(str, first["loc"]))
    if not where or first["type"] == "missing":
        return ""
    return f" ({beginning(where, 60, secrets)}: {beginning(first['msg'], 60, secrets)})"
