"""Ways to ask a server to continue a prompt.

A prompt's assistant turn already begins with its prefix, which ``/v1/chat/completions`` cannot say
in general. So where the server applies its chat template on request, it is asked for that, and what
comes out is continued by ``/v1/completions``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from argo_ml.models.base import Prompt
from argo_ml.models.chat import NO_THINKING
from argo_ml.models.reasoning import closed, closes_reasoning, has_reasoning, reply_start
from argo_ml.models.server.accepted_fields import ALL_FIELDS, AcceptedFields
from argo_ml.models.server.details import details_of
from argo_ml.models.server.fleet import Fleet
from argo_ml.models.server.replies import LIMIT, ServerReply, chat_reply, text_reply
from argo_ml.models.server.wire import (
    AppliedTemplate,
    ChatCompletions,
    Completions,
    DetailedChatCompletions,
    DetailedCompletions,
    DetokenizedText,
    RefusedError,
    TokenizedText,
    UnfitPromptError,
)
from argo_ml.models.token_details import within

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"
GREEDY_SETTINGS: Mapping[str, Any] = {"temperature": 0, "top_p": 1, "seed": 0}
WHOLE_DISTRIBUTION: Mapping[str, Any] = {"top_k": -1, "min_p": 0}
"""Set back beside a temperature: vLLM and llama.cpp would draw from the most probable tokens alone,
by a model's own settings or by their own."""
WITHOUT_THINKING: Mapping[str, Any] = {"chat_template_kwargs": dict(NO_THINKING)}
"""What vLLM, SGLang and llama.cpp hand to a chat template."""
MOST_TOP, FEWER_TOP = 20, 5
"""Most probable tokens to ask for at each place: what vLLM allows, and what OpenAI once did."""
FORCING_BIAS = 1000.0
"""Added to a token's logit, which no difference between logits comes near."""
PROBE = Prompt("Be brief.", "What is the capital of France?", prefix="Answer:")
"""A prompt with all parts that a prompt can have."""
_BYTES_PER_TOKEN = 4
_DATE_FORMS = ("%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%B %d, %Y", "%b %d, %Y")
_TOO_FEW_TOKENS = "output limit was reached"


@dataclass(frozen=True, slots=True)
class ByTokens:
    """Prompts by token ids: vLLM's ``/tokenize`` applies the template and leaves the turn open.

    What vLLM would take from the model's own generation settings is set back. Where a new turn ends
    within reasoning that the template opens, ``closing`` takes the place of its last ``n_open``
    tokens.
    """

    fleet: Fleet
    model: str
    has_system_role: bool = True
    n_open: int = 0
    closing: tuple[int, ...] = ()

    @property
    def thinks(self) -> bool:
        """Whether every answer begins with reasoning."""
        return False

    @property
    def limits_tokens(self) -> bool:
        """Whether the server ends an answer at its most tokens."""
        return True

    def describe(self) -> str:
        way = "tokens-without-thinking" if self.closing else "tokens"
        return _described(way, self.has_system_role, self._undated(self.render(PROBE)))

    def _undated(self, ids: list[int]) -> list[int] | str:
        """The tokens, or their text where a date in it changes from day to day."""
        with contextlib.suppress(RefusedError):
            text = self.text(ids)
            undated = _undated(text)
            return ids if undated == text else undated
        return ids

    def render(self, prompt: Prompt, continuation: str = "") -> list[int]:
        """Token ids of the prompt and of what the assistant's turn goes on with."""
        turn = prompt.prefix + continuation
        messages = _messages(prompt, self.has_system_role)
        if turn:
            messages.append({"role": "assistant", "content": turn})
        ending = {"add_generation_prompt": not turn, "continue_final_message": bool(turn)}
        ids = self._tokens({"messages": messages, **ending, **WITHOUT_THINKING})
        return [*ids[: -self.n_open], *self.closing] if self.closing and not turn else ids

    def ids(self, prompt: Prompt, continuation: str = "") -> list[int]:
        return self.render(prompt, continuation)

    def forcing(self, token: int) -> Mapping[str, Any]:
        """What makes ``token`` the next one, and has its id reported."""
        return {"allowed_token_ids": [token], "return_tokens_as_token_ids": True}

    def plain(self, text: str) -> list[int]:
        """Token ids of a text by itself."""
        return self._tokens({"prompt": text, "add_special_tokens": False}) if text else []

    def complete(self, prompt: Prompt, settings: Mapping[str, Any], n_top: int = 0) -> ServerReply:
        body = {"prompt": self.render(prompt), "repetition_penalty": 1.0, **settings}
        return _completed(self.fleet, self.model, body, n_top)

    def count_tokens(self, text: str) -> int:
        return len(self.plain(text))

    def _tokens(self, body: Mapping[str, Any]) -> list[int]:
        return self.fleet.request("/tokenize", {"model": self.model, **body}, TokenizedText).tokens

    def text(self, ids: Sequence[int]) -> str:
        """What tokens stand for, special ones included."""
        body = {"model": self.model, "tokens": list(ids), "skip_special_tokens": False}
        return self.fleet.request("/detokenize", body, DetokenizedText).prompt


@dataclass(frozen=True, slots=True)
class ByTemplate:
    """Prompts by text: the llama.cpp server's ``/apply-template``, with the prefix after it.

    ``marks`` are tokens that open and close reasoning; llama.cpp would leave them out of texts.
    """

    fleet: Fleet
    model: str
    has_system_role: bool = True
    marks: tuple[str, ...] = ()

    @property
    def thinks(self) -> bool:
        """Whether every answer begins with reasoning."""
        return False

    @property
    def limits_tokens(self) -> bool:
        """Whether the server ends an answer at its most tokens."""
        return True

    def describe(self) -> str:
        way = "template-with-marked-thinking" if self.marks else "template"
        return _described(way, self.has_system_role, _undated(self.render(PROBE)))

    def render(self, prompt: Prompt) -> str:
        messages = _messages(prompt, self.has_system_role)
        body = {"model": self.model, "messages": messages, **WITHOUT_THINKING}
        applied = self.fleet.request("/apply-template", body, AppliedTemplate)
        return closed(applied.prompt) + prompt.prefix

    def complete(self, prompt: Prompt, settings: Mapping[str, Any], n_top: int = 0) -> ServerReply:
        body = {
            "prompt": self.render(prompt),
            "repeat_penalty": 1.0,
            **({"preserved_tokens": self.marks} if self.marks else {}),
            **settings,
        }
        return _completed(self.fleet, self.model, body, n_top)

    def ids(self, prompt: Prompt, continuation: str = "") -> list[int]:
        """Token ids of the prompt, with what a model's texts begin with, and of what goes on."""
        text = self.render(prompt) + continuation
        return self._tokens({"content": text, "add_special": True, "parse_special": True})

    def forcing(self, token: int) -> Mapping[str, Any]:
        """What makes ``token`` the next one."""
        return {"logit_bias": [[token, FORCING_BIAS]], "cache_prompt": True}

    def plain(self, text: str) -> list[int]:
        """Token ids of a text by itself."""
        return self._tokens({"content": text}) if text else []

    def count_tokens(self, text: str) -> int:
        return len(self.plain(text))

    def _tokens(self, body: Mapping[str, Any]) -> list[int]:
        return self.fleet.request("/tokenize", {"model": self.model, **body}, TokenizedText).tokens


@dataclass(frozen=True, slots=True)
class ByChat:
    """Prompts by chat messages, which any server takes: the prefix becomes an instruction.

    It is cut off an answer that begins with it. Tokens of plain texts are estimated: one for every
    four bytes, and at least one for every word. ``stops_thinking`` asks for replies without
    reasoning, which strict servers refuse. ``thinks``: every answer begins with reasoning, and with
    ``begins_inside`` its template has opened that, so that all before </think> is reasoning.
    ``fields`` are those of its own that the server takes.
    """

    fleet: Fleet
    model: str
    has_system_role: bool = True
    stops_thinking: bool = False
    fields: AcceptedFields = ALL_FIELDS
    thinks: bool = False
    begins_inside: bool = False

    @property
    def limits_tokens(self) -> bool:
        """Whether the server ends an answer at its most tokens."""
        return self.fields.limits_tokens

    def describe(self) -> str:
        name = _described("chat", self.has_system_role)
        switch = "-without-thinking" if self.stops_thinking else ""
        inside = "-inside" if self.begins_inside else ""
        thinking = f"-with-thinking{inside}" if self.thinks else ""
        return f"{name}{switch}{thinking}{self.fields.describe()}"

    def complete(self, prompt: Prompt, settings: Mapping[str, Any], n_top: int = 0) -> ServerReply:
        answer = self.whole_answer(prompt, settings, n_top)
        if self.begins_inside and not has_reasoning(answer.text):
            return replace(answer, text=f"<think>\n{answer.text}", tokens=())
        text = answer.text[reply_start(answer.text) :].removeprefix(prompt.prefix)
        tokens = within(answer.tokens, len(answer.text) - len(text), len(answer.text))
        reasoned = answer.reasoned or closes_reasoning(answer.text)
        return replace(answer, text=text, tokens=tokens, reasoned=reasoned)

    def whole_answer(
        self, prompt: Prompt, settings: Mapping[str, Any], n_top: int = 0
    ) -> ServerReply:
        """What the model has written, reasoning and the prefix included."""
        messages = _messages(prompt, self.has_system_role)
        if prompt.prefix:
            messages[-1]["content"] += f'\n\nBegin your answer with "{prompt.prefix}"'
        switch = WITHOUT_THINKING if self.stops_thinking else {}
        said = self.fields.of(settings)
        return self._answered({"model": self.model, "messages": messages, **said, **switch}, n_top)

    def _answered(self, body: Mapping[str, Any], n_top: int) -> ServerReply:
        """OpenAI refuses a request whose reasoning takes all of its tokens: it was unfinished."""
        try:
            return self._asked(body, n_top)
        except UnfitPromptError as error:
            if _TOO_FEW_TOKENS not in str(error):
                raise
            return ServerReply("<think>", None, LIMIT)

    def _asked(self, body: Mapping[str, Any], n_top: int) -> ServerReply:
        if not n_top:
            plain = self.fleet.request(CHAT, body, ChatCompletions)
            return chat_reply(plain.choices[0], plain.usage)
        response = self.fleet.request(
            CHAT, {**body, "logprobs": True, "top_logprobs": n_top}, DetailedChatCompletions
        )
        first = response.choices[0]
        tokens = details_of(first.logprobs, first.message.text)
        return chat_reply(first, response.usage, tokens)

    def count_tokens(self, text: str) -> int:
        return max(len(text.split()), -(-len(text.encode()) // _BYTES_PER_TOKEN))


Prompting = ByTemplate | ByTokens | ByChat
"""How prompts reach one served model.

Each has ``describe``, which is part of the model's identity (how prompts become text, by which
template), ``complete``, whose ``n_top`` is the number of most probable tokens to report at each
place (0 for no details), ``count_tokens``, ``thinks`` and ``limits_tokens``.
"""


def _completed(fleet: Fleet, model: str, settings: Mapping[str, Any], n_top: int) -> ServerReply:
    whole = WHOLE_DISTRIBUTION if settings.get("temperature") else {}
    body = {"model": model, **settings, **whole}
    if not n_top:
        plain = fleet.request(COMPLETIONS, body, Completions)
        return text_reply(plain.choices[0], plain.usage)
    response = fleet.request(COMPLETIONS, {**body, "logprobs": n_top}, DetailedCompletions)
    first = response.choices[0]
    return text_reply(first, response.usage, details_of(first.logprobs, first.text))


def _messages(prompt: Prompt, has_system_role: bool) -> list[dict[str, str]]:
    """Chat messages of a prompt; without the role the system text opens the user's turn."""
    if not prompt.system:
        return [{"role": "user", "content": prompt.turn}]
    if not has_system_role:
        return [{"role": "user", "content": f"{prompt.system}\n\n{prompt.turn}"}]
    system = {"role": "system", "content": prompt.system}
    return [system, {"role": "user", "content": prompt.turn}]


def _undated(rendered: str) -> str:
    """The text without the date of today, or of a day beside it where the server's clock is ahead
    or behind: some templates write it, and a model is the same model tomorrow."""
    days = [date.today() + timedelta(days=shift) for shift in (-1, 0, 1)]
    written = "|".join(re.escape(day.strftime(form)) for day in days for form in _DATE_FORMS)
    return re.sub(written, "DATE", rendered)


def _described(way: str, has_system_role: bool, rendered: str | Sequence[int] = "") -> str:
    name = way if has_system_role else f"{way}-without-system"
    digest = hashlib.sha256(json.dumps(rendered).encode()).hexdigest()
    return f"{name}:{digest[:12]}" if rendered else name
