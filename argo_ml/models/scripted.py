"""A backend that answers from a table: for tests, dry runs and large simulated sweeps."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from argo_ml.config import ModelSpec
from argo_ml.errors import ConfigError, ModelError, system_reason
from argo_ml.models.base import (
    Completion,
    Generation,
    Prompt,
    RequestType,
    ResponseType,
    Scores,
    Scoring,
)
from argo_ml.models.cache.caching import request_key
from argo_ml.models.chat import cut_at_stop
from argo_ml.models.presets import resolve
from argo_ml.models.reasoning import has_reasoning
from argo_ml.models.unfit import beyond_context, run_fitting
from argo_ml.parsing import LARGEST_YAML, MalformedError, parse_yaml, read_bytes
from argo_ml.types import TokenDetail

PREFERRED, OTHER = -0.1, -2.0
"""Log-likelihood per word of the choice that a rule prefers, and of the others."""

TOKEN_PROBABILITY = 0.9
"""Probability of a word of a completion, where a table gives none."""


class Rule(BaseModel):
    """What to answer where the prompt's text contains a string or matches an expression.

    ``choice`` is the text of a choice or its 0-based index; a rule that prefers a text applies
    only where that text is among the choices. ``certainty`` is the preferred choice's share of
    the softmax over log-likelihoods per token, of which the others have equal parts of the rest.
    A sampled request gets the one of ``samples`` that its seed counts off, and ``completion``
    where there are none. ``token_probability`` is that of every word.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    contains: str | None = None
    regex: str | None = None
    completion: str | None = None
    choice: str | int | None = None
    token_probability: float | None = Field(None, ge=0, le=1)
    samples: list[str] | None = Field(None, min_length=1)
    certainty: float | None = Field(None, gt=0, lt=1)

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        if (self.contains is None) == (self.regex is None):
            raise ValueError("give either contains or regex")
        completes = self.completion is not None or self.samples is not None
        if not completes and self.choice is None:
            raise ValueError("give completion, choice or both")
        if self.token_probability is not None and not completes:
            raise ValueError(f"token_probability={self.token_probability}: give completion as well")
        if self.certainty is not None and self.choice is None:
            raise ValueError(f"certainty={self.certainty}: give choice as well")
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"regex={self.regex!r} is not one ({error})") from None
        return self

    def matches(self, text: str) -> bool:
        if self.contains is not None:
            return self.contains in text
        return re.search(self.regex or "", text) is not None

    def answer(self, request: Generation) -> str | None:
        """What completes the prompt of a request that the rule matches."""
        if request.temperature and self.samples is not None:
            return self.samples[request.seed % len(self.samples)]
        return self.completion


class Table(BaseModel):
    """Rules, asked in order, and what answers a prompt that none of them matches.

    ``echo`` completes with the last line of the user's text and prefers a choice that the
    prompt mentions (of several, or of all where none is: the first by spelling); ``hash`` draws
    both from a hash of the request, and the probability of each word as well.
    ``token_probability`` is that of all words that no rule and no hash gives one. ``context`` is
    how many words a prompt and the words asked for may have together, ``log`` a file that gets the
    key of every executed call, one a line, as the call cache knows it; the two are no part of the
    identity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: list[Rule] = Field(default_factory=list)
    default: Literal["echo", "hash"] | None = None
    token_probability: float = Field(TOKEN_PROBABILITY, ge=0, le=1)
    context: int | None = Field(None, ge=1, exclude=True)
    log: Path | None = Field(None, exclude=True)

    @property
    def canonical(self) -> str:
        """JSON that all tables of the same answers share.

        Fields that are not used are left out, so that a further field changes no identity.
        """
        values = self.model_dump()
        if self.token_probability == TOKEN_PROBABILITY:
            del values["token_probability"]
        for rule in values["rules"]:
            for name in ("token_probability", "samples", "certainty"):
                if rule[name] is None:
                    del rule[name]
        return json.dumps(values, sort_keys=True)


class ScriptedModel:
    """Answers by `Table`; tokens are words, and a call takes no time."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._identity = f"scripted {hashlib.sha256(table.canonical.encode()).hexdigest()}"

    @classmethod
    def read(cls, path: Path) -> ScriptedModel:
        """A model from a JSON or YAML table. Raises `ConfigError` naming the file and the field."""
        values = _read(path.expanduser())
        try:
            return cls(Table.model_validate(values))
        except ValidationError as error:
            raise ConfigError(f"scripted:{path}: {_explain(error)}") from None

    @property
    def identity(self) -> str:
        return self._identity

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        """Raises `ModelError` for a prompt that no rule matches, unless there is a default, and
        `SomeUnfitError` for prompts beyond the table's ``context``."""
        return self._run_fitting(self._complete, requests, lambda request: request.max_new_tokens)

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        """Raises as `generate` does; the longest choice counts as words asked for."""
        return self._run_fitting(
            self._score,
            requests,
            lambda request: max((len(choice.split()) for choice in request.choices), default=0),
        )

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def _run_fitting(
        self,
        work: Callable[[RequestType], ResponseType],
        requests: Sequence[RequestType],
        n_new: Callable[[RequestType], int],
    ) -> list[ResponseType]:
        def answer(fitting: list[int]) -> list[ResponseType]:
            self._log([requests[index] for index in fitting])
            return [work(requests[index]) for index in fitting]

        needed = [len(_rendered(request.prompt).split()) + n_new(request) for request in requests]
        refused = beyond_context(needed, self._table.context, "words")
        return run_fitting(answer, len(requests), refused)

    def _log(self, requests: Sequence[Generation | Scoring]) -> None:
        if self._table.log is not None:
            with self._table.log.open("a", encoding="utf-8") as file:
                file.writelines(f"{request_key(self.identity, request)}\n" for request in requests)

    def _complete(self, request: Generation) -> Completion:
        text = _rendered(request.prompt)
        rule, full = self._answered(request, text)
        if has_reasoning(full):
            full = _first_words(full, request.max_new_tokens)
        words = cut_at_stop(full, request.stop)[0]
        limited = _first_words(words, request.max_new_tokens)
        n_words = len(limited.split())
        tokens = self._details(rule, text, limited) if request.details else ()
        return Completion(limited, len(text.split()), n_words, seconds=0.0, tokens=tokens)

    def _answered(self, request: Generation, text: str) -> tuple[Rule | None, str]:
        """The first applicable rule and its answer; no rule for an answer by default."""
        for rule in self._table.rules:
            answer = rule.answer(request)
            if answer is not None and rule.matches(text):
                return rule, answer
        return None, self._default_completion(request)

    def _details(self, rule: Rule | None, prompt: str, text: str) -> tuple[TokenDetail, ...]:
        """Details of each word of ``text``, the space after it included."""
        return tuple(
            _token_detail(word, self._token_probability(rule, prompt, word.strip(), place))
            for place, word in enumerate(re.findall(r"\S+\s*", text))
        )

    def _token_probability(self, rule: Rule | None, prompt: str, word: str, place: int) -> float:
        if rule is None and self._table.default == "hash":
            return 1.0 - _share("token", prompt, word, str(place))
        if rule is None or rule.token_probability is None:
            return self._table.token_probability
        return rule.token_probability

    def _score(self, request: Scoring) -> Scores:
        text = _rendered(request.prompt)
        lengths = tuple(max(1, len(choice.split())) for choice in request.choices)
        per_word = self._per_word(request, text)
        totals = tuple(a * length for a, length in zip(per_word, lengths, strict=True))
        return Scores(totals, lengths, len(text.split()), seconds=0.0)

    def _per_word(self, request: Scoring, text: str) -> list[float]:
        if not request.choices:
            return []
        rule, preferred = self._preferred(request.choices, text)
        if preferred is None and self._table.default == "hash":
            return [-8.0 * _share("score", text, choice) for choice in request.choices]
        if preferred is None and self._table.default == "echo":
            mentioned = [choice for choice in request.choices if choice in text]
            # By spelling, since the order of choices is shuffled.
            preferred = request.choices.index(min(mentioned or request.choices))
        if preferred is None:
            raise self._unmatched(request.prompt, "choice")
        high, low = _preference(rule, len(request.choices))
        return [high if i == preferred else low for i in range(len(request.choices))]

    def _preferred(self, choices: Sequence[str], text: str) -> tuple[Rule, int] | tuple[None, None]:
        """The first applicable rule, and the index of the choice that it names."""
        for rule in self._table.rules:
            if rule.choice is None or not rule.matches(text):
                continue
            if isinstance(rule.choice, str):
                if rule.choice in choices:
                    return rule, choices.index(rule.choice)
            elif 0 <= rule.choice < len(choices):
                return rule, rule.choice
            else:
                raise ModelError(
                    f"scripted model: choice={rule.choice} is not among {len(choices)} choices, "
                    "numbered from 0"
                )
        return None, None

    def _default_completion(self, request: Generation) -> str:
        if self._table.default == "echo":
            lines = request.prompt.turn.strip().splitlines()
            return lines[-1] if lines else ""
        if self._table.default == "hash":
            draw = (str(request.seed),) if request.temperature else ()
            return f"answer {_digest('completion', _rendered(request.prompt), *draw)[:8]}"
        raise self._unmatched(request.prompt, "completion")

    def _unmatched(self, prompt: Prompt, what: str) -> ModelError:
        end = " ".join(_rendered(prompt).split())[-160:]
        return ModelError(
            f"scripted model: no rule with a {what} matches the prompt ending in {end!r}; "
            "add one, or default: echo or hash"
        )


def _rendered(prompt: Prompt) -> str:
    return "\n\n".join(part for part in (prompt.system, prompt.turn, prompt.prefix) if part)


def _preference(rule: Rule | None, n_choices: int) -> tuple[float, float]:
    """Log-likelihood per word of the preferred choice, and of each other one."""
    if rule is None or rule.certainty is None:
        return PREFERRED, OTHER
    rest = (1 - rule.certainty) / max(1, n_choices - 1)
    return math.log(rule.certainty), math.log(rest)


def _token_detail(text: str, probability: float) -> TokenDetail:
    """Details of a token that comes with ``probability``, and another one with the rest."""
    own, other = (math.log(p) if p > 0 else -math.inf for p in (probability, 1 - probability))
    entropy = -sum(p * math.log(p) for p in (probability, 1 - probability) if p > 0)
    return TokenDetail(text, own, abs(entropy), abs(own - other))


def _first_words(text: str, n_words: int) -> str:
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    return text if len(ends) <= n_words else text[: ends[n_words - 1]]


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _share(*parts: str) -> float:
    """A number in [0, 1) that depends on ``parts`` alone."""
    return int(_digest(*parts)[:13], 16) / 16**13


def _read(path: Path) -> Any:
    try:
        return parse_yaml(read_bytes(path, LARGEST_YAML))
    except OSError as error:
        reason = system_reason(error)
        raise ConfigError(f"scripted:{path}: cannot be read ({reason}); give a table") from None
    except MalformedError as error:
        raise ConfigError(f"scripted:{path}: {error}") from None


def _explain(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"])) or "table"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message[0].lower()}{message[1:]}"


def open_scripted(spec: ModelSpec) -> ScriptedModel:
    """The table that ``scripted:FILE`` names. Raises `ConfigError`."""
    return ScriptedModel.read(Path(resolve(spec.model, spec.cache_path).location))
