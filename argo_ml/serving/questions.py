"""What a caller asks and already knows: a question, its answer so far, how sure that looked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from argo_ml.config import MONEY_PRICES
from argo_ml.errors import ArgoError, one_line
from argo_ml.pricing import MoneyPrices
from argo_ml.types import Question

LONGEST_QUESTION = 20_000
"""Characters of a question, and of an answer; what is longer is refused before anything else."""
MOST_TOKENS = 20_000
MOST_CHOICES = 100
MOST_STEPS = 20
MOST_PASSAGES = 100
"""Of a step that the caller has taken."""
MOST_FIELDS = 50
"""Fields of a question's metadata, and scores of it."""
_SHOWN = 200

Text = Annotated[str, Field(max_length=LONGEST_QUESTION)]
ShortText = Annotated[str, Field(max_length=_SHOWN)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LogProbability = Annotated[float, Field(le=1e-6, ge=-1e6, allow_inf_nan=False)]


MONEY = (
    "value_of_correct",
    "price_per_retrieval",
    *(name for name in MONEY_PRICES if name != "value_of_correct"),
)
"""Inputs in the caller's unit."""


class RequestError(ArgoError):
    """A request that says too little, too much, or what cannot be."""


class AnswerToken(BaseModel):
    """A token of the caller's answer, and the distribution that it comes from as far as known.

    ``entropy`` is in nats, ``gap`` by how much the log-probability of the most probable token
    exceeds that of the second; ``top_logprobs`` are the most probable ones, from which both follow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    logprob: LogProbability
    entropy: float | None = Field(None, ge=0, allow_inf_nan=False)
    gap: float | None = Field(None, ge=0, allow_inf_nan=False)
    top_logprobs: tuple[LogProbability, ...] = Field((), max_length=1000)


class KnownAnswer(BaseModel):
    """An answer that the caller has, and how sure it looked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: Text | None = None
    token_logprobs: tuple[AnswerToken | LogProbability, ...] = Field((), max_length=MOST_TOKENS)
    choice_logprobs: tuple[LogProbability, ...] = ()

    @property
    def tokens(self) -> tuple[AnswerToken, ...]:
        return tuple(
            token if isinstance(token, AnswerToken) else AnswerToken(logprob=token)
            for token in self.token_logprobs
        )


class FoundPassage(BaseModel):
    """A passage that the caller's retrieval found, as served answers have them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Text
    title: Text = ""
    id: Text = ""
    source: Text = ""
    similarity: float | None = Field(None, allow_inf_nan=False)


class TakenStep(KnownAnswer):
    """A step that the caller has taken, and what was found; the answer is that before it."""

    action: Literal["retrieve", "reason"]
    passages: tuple[FoundPassage | Text, ...] | None = Field(None, max_length=MOST_PASSAGES)
    succeeded: bool = True

    @property
    def found(self) -> tuple[FoundPassage, ...]:
        return tuple(
            own if isinstance(own, FoundPassage) else FoundPassage(text=own)
            for own in self.passages or ()
        )


class Asked(BaseModel):
    """A question as a caller asks it; a price that is None is the published one.

    ``decide_only`` asks for the decision about ``answer``, which the caller has, and for no answer.
    Prices are shares of a right answer (``retrieval_cost``) or in the caller's own unit.
    ``choice_logprobs`` are log-likelihoods per token of the choices, and ``steps`` those that led
    to the answer. ``question_id`` matters to
    strategies that draw, and is one of the question's text where none is given, ``metadata`` to
    those that act by kinds of questions, ``scores`` to a gate on a score of the caller's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: Text
    choices: tuple[Text, ...] = Field((), max_length=MOST_CHOICES)
    retrieval_cost: float | None = Field(None, gt=0, allow_inf_nan=False)
    decide_only: bool = False
    answer: Text | None = None
    token_logprobs: tuple[AnswerToken | LogProbability, ...] = Field((), max_length=MOST_TOKENS)
    choice_logprobs: tuple[LogProbability, ...] = ()
    steps: tuple[TakenStep, ...] = Field((), max_length=MOST_STEPS)
    scores: Mapping[ShortText, Annotated[float, Field(allow_inf_nan=False)]] = Field(
        default_factory=dict, max_length=MOST_FIELDS
    )
    question_id: ShortText = ""
    metadata: Mapping[ShortText, ShortText | int | float | bool | None] = Field(
        default_factory=dict, max_length=MOST_FIELDS
    )
    value_of_correct: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    price_per_retrieval: Price | None = None
    price_per_1m_prompt_tokens: Price | None = None
    price_per_1m_completion_tokens: Price | None = None
    price_per_second: Price | None = None
    price_of_wrong: Price | None = None
    price_of_abstaining: Price | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Asked:
        if not self.question.strip():
            raise ValueError("the question is empty; ask one")
        if not all(choice.strip() for choice in self.choices):
            raise ValueError("choices: one is empty; leave it out, or say what it is")
        if len(self.choices) == 1:
            raise ValueError("choices: there is one; give at least two, or none")
        for logprobs in (self.choice_logprobs, *(step.choice_logprobs for step in self.steps)):
            if logprobs and len(logprobs) != len(self.choices):
                raise ValueError(
                    f"choice_logprobs has {len(logprobs)} values for {len(self.choices)} choices"
                )
        if self.retrieval_cost is not None and self.money_given:
            name, value = next(iter(self.money_given.items()))
            raise ValueError(
                f"retrieval_cost={self.retrieval_cost:g} is in shares of a right answer and "
                f"{name}={value:g} in your own unit: give prices in one of the two"
            )
        known = ("answer", "token_logprobs", "choice_logprobs", "steps", "scores")
        if not self.decide_only and any(getattr(self, name) for name in known):
            raise ValueError(
                "answer, token_logprobs, choice_logprobs, steps and scores go with decide_only: "
                "true"
            )
        return self

    def as_question(self) -> Question:
        return Question(
            id=self.question_id or self._drawn_id,
            text=self.question,
            choices=self.choices,
            metadata=dict(self.metadata),
        )

    @property
    def _drawn_id(self) -> str:
        """Of a question without one: its own, so that not all share their luck."""
        text = json.dumps([self.question, *self.choices])
        return f"asked-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @property
    def money_given(self) -> dict[str, float]:
        """The prices in the caller's unit that the request names."""
        values = {name: getattr(self, name) for name in MONEY}
        return {name: value for name, value in values.items() if value is not None}

    def money(self, value_of_correct: float, published: MoneyPrices | None) -> MoneyPrices:
        """The prices that the request names; the others are the published ones, else 0."""
        base = published or MoneyPrices(value_of_correct)
        given = {
            own: getattr(self, name)
            for name, own in MONEY_PRICES.items()
            if getattr(self, name) is not None
        }
        return replace(base, **{"value_of_correct": value_of_correct, **given})

    @property
    def known(self) -> KnownAnswer:
        """The answer that is decided about."""
        return KnownAnswer.model_construct(
            answer=self.answer,
            token_logprobs=self.token_logprobs,
            choice_logprobs=self.choice_logprobs,
        )


def read_asked(values: Mapping[str, Any]) -> Asked:
    """Raises `RequestError` with one line that names every value that cannot be."""
    try:
        return Asked.model_validate(dict(values))
    except ValidationError as error:
        lines = dict.fromkeys(_explained(problem) for problem in error.errors())
        raise RequestError("; ".join(list(lines)[:5])) from None


def _explained(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"] if isinstance(part, (str, int))) or ""
    if problem["type"] == "extra_forbidden":
        known = ", ".join(field for field in Asked.model_fields if field != "question")
        return f"custom_inputs has an unknown {name[:_SHOWN]!r}; known: {known}"
    message = one_line(problem["msg"].removeprefix("Value error, "))
    if not name:
        return message
    given = problem["input"]
    shown = one_line(f"={given}")[:_SHOWN] if _is_short(given) else ""
    return f"{name}{shown}: {message[0].lower()}{message[1:]}"


def _is_short(value: object) -> bool:
    is_plain = isinstance(value, (str, int, float, bool)) or value is None
    return is_plain and (not isinstance(value, str) or len(value) <= _SHOWN)
