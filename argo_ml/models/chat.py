"""Prompts as text for a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from argo_ml.errors import ModelError
from argo_ml.models.base import Prompt
from argo_ml.models.reasoning import (
    CLOSING_ENDS,
    SPECIAL_MARKS,
    closed,
    is_closed,
    is_unfinished,
    reply_start,
)

_MARK = "argo-ml-system-text"
_ANY_USER = [{"role": "user", "content": "?"}]
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Under which a template may look for what an assistant has thought in an earlier turn."""

PROMPT_DATE = date(2025, 1, 1)
"""What templates write that ask for today's: a call is the same call on any day."""
_ASKED_DATE = re.compile(r"strftime_now\(\s*(?P<quote>['\"])(?P<form>[^'\"]*)(?P=quote)\s*\)")
NO_THINKING: Mapping[str, bool] = {"enable_thinking": False, "thinking": False}
"""What chat templates call the switch of reasoning: the first Qwen3, SmolLM3, GLM and Hunyuan, the
second Granite and DeepSeek. Templates leave alone what they do not know."""


@dataclass(frozen=True, slots=True)
class PromptIds:
    """Token ids of a prompt; the first ``n_reusable`` are likely to begin later prompts too."""

    ids: list[int]
    n_reusable: int = 0


class ChatFormat:
    """Renders prompts with a tokenizer's own chat template.

    The assistant's turn is opened and ``prefix`` appended to it. Where the template has no system
    role, the system text opens the user's turn. Where there is no template at all, system, user
    and prefix follow one another with an empty line between, after the model's usual special
    tokens. Reasoning is switched off where the template can, and closed where it is opened;
    tokens that mark it are part of texts, also where the tokenizer leaves them out.

    Raises `ModelError` for a template that marks reasoning in a way that is not known here, and for
    several ones of which none is the default.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._template = _dated(_main_template(tokenizer))
        self.has_template = bool(self._template)
        self.has_system_role = self.has_template and self._accepts_system()
        self.switches_thinking_off = self.has_template and self._changes_without_thinking()
        self._marks = self._special_marks()
        self._closers: dict[int, bool] = {}
        self.may_think = not self.switches_thinking_off and (
            _has_token(tokenizer, "<think>") or bool(self._marks)
        )
        self._check_marks()

    @property
    def name(self) -> str:
        """Part of a model's identity: how prompts become text."""
        if not self.has_template:
            return "plain"
        name = "chat" if self.has_system_role else "chat-without-system"
        if self.switches_thinking_off:
            return f"{name}-without-thinking"
        return f"{name}-with-marked-thinking" if self._marks else name

    def render(self, prompt: Prompt) -> str:
        if not self.has_template:
            parts = [prompt.system, prompt.turn, prompt.prefix]
            return "\n\n".join(part for part in parts if part)
        return self._chat(prompt.system, prompt.turn) + prompt.prefix

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Token ids of rendered texts; templates write the special tokens themselves."""
        if not texts:
            return []
        encoded = self._tokenizer(texts, add_special_tokens=not self.has_template)
        return [list(ids) for ids in encoded.input_ids]

    def text(self, ids: Sequence[int]) -> str:
        """Text of generated tokens, without special ones but those that mark reasoning."""
        parts, begin = [], 0
        for end in [at for at, token in enumerate(ids) if token in self._marks]:
            parts += [self._decoded(ids[begin:end]), self._marks[ids[end]]]
            begin = end + 1
        return "".join((*parts, self._decoded(ids[begin:])))

    def may_close(self, token: int) -> bool:
        """Whether what closes reasoning may end by this token."""
        if token not in self._closers:
            text = self.text([token])
            self._closers[token] = any(end in text for end in CLOSING_ENDS)
        return self._closers[token]

    def encode_prompts(self, prompts: Sequence[Prompt]) -> list[PromptIds]:
        """Token ids of prompts; what stands before the end of ``history`` is reusable."""
        if not prompts:
            return []
        texts = [self.render(prompt) for prompt in prompts]
        if not self._tokenizer.is_fast:
            return [PromptIds(ids) for ids in self.encode(texts)]
        encoded = self._tokenizer(
            texts, add_special_tokens=not self.has_template, return_offsets_mapping=True
        )
        ends = [_history_end(text, prompt) for text, prompt in zip(texts, prompts, strict=True)]
        return [
            PromptIds(list(ids), sum(stop <= end for _, stop in offsets))
            for ids, offsets, end in zip(
                encoded.input_ids, encoded.offset_mapping, ends, strict=True
            )
        ]

    def _chat(self, system: str, user: str) -> str:
        messages = [{"role": "user", "content": user}]
        if system and self.has_system_role:
            messages.insert(0, {"role": "system", "content": system})
        elif system:
            messages[0]["content"] = f"{system}\n\n{user}"
        return closed(self._applied(messages, NO_THINKING))

    def _decoded(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _special_marks(self) -> dict[int, str]:
        """Tokens that mark reasoning, unless this template keeps models from it."""
        if not self.has_template or self.switches_thinking_off or is_closed(self._opened()):
            return {}
        marks = [mark for pair in SPECIAL_MARKS.items() for mark in pair]
        return {
            self._tokenizer.convert_tokens_to_ids(mark): mark
            for mark in marks
            if _has_token(self._tokenizer, mark)
        }

    def _check_marks(self) -> None:
        opening = self._unknown_mark() if self.has_template else ""
        if opening:
            raise ModelError(
                f"{self._tokenizer.name_or_path}: its chat template marks reasoning by "
                f"{opening[-60:]!r}, which is not known here, so that reasoning would be taken for "
                "answers; use another model, or a server that gives reasoning apart "
                "(model=server:NAME)"
            )

    def _unknown_mark(self) -> str:
        """What opens the reasoning of earlier turns, where it is none of the marks known here."""
        if self.switches_thinking_off or is_closed(self._opened()):
            return ""
        before = self._before_mark({"content": "!", **dict.fromkeys(_REASONING_FIELDS, _MARK)})
        if closed(before) != before:
            return ""
        return before.removeprefix(self._before_mark({"content": _MARK})).strip()

    def _before_mark(self, turn: Mapping[str, str]) -> str:
        """A chat up to the mark in its last turn; empty where the template does not show that."""
        from jinja2 import TemplateError

        messages = [*_ANY_USER, {"role": "assistant", **turn}]
        try:
            text = self._tokenizer.apply_chat_template(messages, tokenize=False)
        except (TemplateError, TypeError, ValueError):
            return ""
        before, mark, _ = text.partition(_MARK)
        return before if mark else ""

    def _opened(self) -> str:
        """A prompt as the template makes it of its own accord."""
        return self._applied(_ANY_USER, {})

    def _applied(self, messages: list[dict[str, str]], switches: Mapping[str, bool]) -> str:
        return str(
            self._tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=True,
                chat_template=self._template,
                **switches,
            )
        )

    def _changes_without_thinking(self) -> bool:
        """Whether prompts are others than this template makes of its own accord."""
        return closed(self._applied(_ANY_USER, NO_THINKING)) != self._opened()

    def _accepts_system(self) -> bool:
        """Templates without the role raise an error or leave the text out."""
        from jinja2 import TemplateError

        messages = [{"role": "system", "content": _MARK}, *_ANY_USER]
        try:
            text = self._tokenizer.apply_chat_template(messages, tokenize=False)
        except TemplateError:
            return False
        return _MARK in text


def _main_template(tokenizer: Any) -> str:
    """The tokenizer's template, of several by name its default; empty where it has none."""
    template = tokenizer.chat_template or ""
    if isinstance(template, str):
        return template
    if "default" not in template:
        raise ModelError(
            f"{tokenizer.name_or_path}: has several chat templates and none that is the default: "
            f"{', '.join(sorted(template))}; name the one that is to be used default in its files"
        )
    return str(template["default"])


def _dated(template: str) -> str:
    """The template with `PROMPT_DATE` where it asks for today's."""
    return _ASKED_DATE.sub(lambda asked: repr(PROMPT_DATE.strftime(asked["form"])), template)


def _has_token(tokenizer: Any, token: str) -> bool:
    number = tokenizer.convert_tokens_to_ids(token)
    return number is not None and number != tokenizer.unk_token_id


def _history_end(text: str, prompt: Prompt) -> int:
    """Characters of a rendered prompt up to the end of its history, 0 where it is not found."""
    begin = text.find(prompt.turn)
    return begin + len(prompt.history) if begin >= 0 else 0


def cut_at_stop(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text before its first stop string, and whether there was one.

    White space before any content neither counts as a stop nor stays in the text: models often
    open a turn with a newline. The same is true of reasoning (<think>...</think>); a text that ends
    before its reasoning does stays whole.
    """
    text = text[reply_start(text) :]
    if is_unfinished(text):
        return text, False
    positions = [position for string in stop if (position := text.find(string)) >= 0]
    return (text[: min(positions)], True) if positions else (text, False)
