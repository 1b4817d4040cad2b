"""What models write between <think> and </think>, or marks of their own, before they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping

from argo_ml.config import DEFAULT_THINKING_TOKENS, ContextSpec, ModelSpec
from argo_ml.errors import ModelError

PROMPT_TOKENS = 512
"""The least that a prompt is to have room for, beside reasoning and a reply."""
SPECIAL_MARKS: Mapping[str, str] = {
    "[THINK]": "[/THINK]",
    "<seed:think>": "</seed:think>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|channel>": "<channel|>",
}
"""Tokens with which Magistral, Seed-OSS, Command A and Gemma 4 open and close their reasoning. They
are special to most tokenizers, which leave such out of texts."""
CLOSING_ENDS = frozenset((">", *(mark[-1] for mark in SPECIAL_MARKS.values())))
"""The last characters of what closes reasoning."""
_OPENING_MARK = "|".join((r"(?i:<think(?:ing)?>)", *map(re.escape, SPECIAL_MARKS)))
_CLOSING_MARK = "|".join((r"(?i:</think(?:ing)?>)", *map(re.escape, SPECIAL_MARKS.values())))
_OPENING = re.compile(rf"\s*(?:{_OPENING_MARK})")
_CLOSING = re.compile(rf"(?:{_CLOSING_MARK})\s*")
_OPEN_END = re.compile(rf"({_OPENING_MARK})\s*\Z")
_CLOSED_END = re.compile(rf"(?:{_CLOSING_MARK})\s*\Z")
_CHANNEL_OPENINGS = re.compile(
    r"<\|start\|>assistant(?P<analysis><\|channel\|>analysis<\|message\|>)?\Z"
)
_FINAL_CHANNEL = "<|channel|>final<|message|>"


def room_needed(context: int | None, spec: ModelSpec) -> str:
    """What a model that thinks needs, where ``context`` has less; empty where it has enough, or is
    not known (None or 0)."""
    n_new = spec.generation_limit if isinstance(spec, ContextSpec) else 0
    needed = PROMPT_TOKENS + spec.thinking_tokens + n_new
    if not context or context >= needed:
        return ""
    return (
        f"needs {needed} or more: thinking_tokens={spec.thinking_tokens} for its reasoning, beside "
        "a prompt and max_new_tokens"
    )


def check_thinking_room(spec: ModelSpec, context: int | None) -> None:
    """Raises `ModelError` where ``context``, that of a model that may think, has no room for it;
    None stands for another model, or a context that is not known."""
    needed = room_needed(context, spec)
    if needed:
        raise ModelError(
            f"model={spec.model}: has a context of {context} tokens, may think before it answers "
            f"and {needed}; lower thinking_tokens"
        )


def marked_thinking(thinking_tokens: int) -> str:
    """Part of a model's identity: other room for reasoning than `DEFAULT_THINKING_TOKENS`."""
    is_default = thinking_tokens == DEFAULT_THINKING_TOKENS
    return "" if is_default else f" thinking={thinking_tokens}"


def reply_start(text: str) -> int:
    """Where the reply begins in what a model wrote: after the last </think> and white space.

    Reasoning that did not come to an end has no reply after it, so it begins where it does.
    """
    closings = [*_CLOSING.finditer(text)]
    if closings:
        return closings[-1].end()
    return len(text) - len(text.lstrip())


def is_unfinished(text: str) -> bool:
    """Whether the text ends before its reasoning does, so that there is no reply."""
    return _OPENING.match(text, reply_start(text)) is not None


def has_reasoning(text: str) -> bool:
    return opens_reasoning(text) or closes_reasoning(text)


def opens_reasoning(text: str) -> bool:
    return _OPENING.match(text) is not None


def closes_reasoning(text: str) -> bool:
    return _CLOSING.search(text) is not None


def without_reasoning(text: str) -> str:
    """The reply alone, without white space around it; empty where there is none."""
    return "" if is_unfinished(text) else text[reply_start(text) :].strip()


def is_closed(prompt: str) -> bool:
    """Whether a rendered prompt ends after reasoning, so that the model has done with it."""
    return _CLOSED_END.search(prompt) is not None


def closed(prompt: str) -> str:
    """A rendered prompt, the reasoning that its end opens closed at once and empty.

    Templates of models that cannot leave out their reasoning open it in the assistant's turn; after
    an empty one they answer without (Ma et al. 2025, Reasoning Models Can Be Effective Without
    Thinking). Where turns have channels (gpt-oss) the one for answers is opened.
    """
    channel = _CHANNEL_OPENINGS.search(prompt)
    if channel is not None:
        ending = "<|end|><|start|>assistant" if channel["analysis"] else ""
        return f"{prompt}{ending}{_FINAL_CHANNEL}"
    opening = _OPEN_END.search(prompt)
    if opening is None:
        return prompt
    closing = SPECIAL_MARKS.get(opening[1], f"</{opening[1][1:]}")
    return f"{prompt.rstrip()}\n\n{closing}\n\n"
