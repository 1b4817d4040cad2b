"""Prompts as text for a tokenizer."""

from __future__ import annotations

from typing import Any

from argo_ml.models.base import Prompt

_MARK = "argo-ml-system-text"


class ChatFormat:
    """Renders prompts with a tokenizer's own chat template.

    The assistant's turn is opened and ``prefix`` appended to it. Where the template has no system
    role, the system text opens the user's turn. Where there is no template at all, system, user
    and prefix follow one another with an empty line between, after the model's usual special
    tokens.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.has_template = bool(tokenizer.chat_template)
        self.has_system_role = self.has_template and self._accepts_system()

    @property
    def name(self) -> str:
        """Part of a model's identity: how prompts become text."""
        if not self.has_template:
            return "plain"
        return "chat" if self.has_system_role else "chat-without-system"

    def render(self, prompt: Prompt) -> str:
        if not self.has_template:
            parts = [prompt.system, prompt.user, prompt.prefix]
            return "\n\n".join(part for part in parts if part)
        return self._chat(prompt.system, prompt.user) + prompt.prefix

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Token ids of rendered texts; templates write the special tokens themselves."""
        if not texts:
            return []
        encoded = self._tokenizer(texts, add_special_tokens=not self.has_template)
        return [list(ids) for ids in encoded.input_ids]

    def _chat(self, system: str, user: str) -> str:
        messages = [{"role": "user", "content": user}]
        if system and self.has_system_role:
            messages.insert(0, {"role": "system", "content": system})
        elif system:
            messages[0]["content"] = f"{system}\n\n{user}"
        return str(
            self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        )

    def _accepts_system(self) -> bool:
        """Templates without the role raise an error or leave the text out."""
        from jinja2 import TemplateError

        messages = [{"role": "system", "content": _MARK}, {"role": "user", "content": "?"}]
        try:
            text = self._tokenizer.apply_chat_template(messages, tokenize=False)
        except TemplateError:
            return False
        return _MARK in text


def cut_at_stop(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text before its first stop string, and whether there was one.

    White space before any content neither counts as a stop nor stays in the text: models often
    open a turn with a newline.
    """
    text = text.lstrip()
    found = [position for string in stop if (position := text.find(string)) >= 0]
    return (text[: min(found)], True) if found else (text, False)
