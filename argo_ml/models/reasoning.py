"""What models write between <think> and </think> before they answer."""

from __future__ import annotations

import re

_OPENING = re.compile(r"\s*<think(?:ing)?>", re.IGNORECASE)
_OPEN_END = re.compile(r"<think(?:ing)?>\s*\Z", re.IGNORECASE)
_CLOSING = re.compile(r"</think(?:ing)?>\s*", re.IGNORECASE)


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
    return _OPENING.match(text) is not None or _CLOSING.search(text) is not None


def without_reasoning(text: str) -> str:
    """The reply alone, without white space around it; empty where there is none."""
    return "" if is_unfinished(text) else text[reply_start(text) :].strip()


def closed(prompt: str) -> str:
    """A rendered prompt, the reasoning that its end opens closed at once and empty.

    Templates of models that cannot leave out their reasoning open it in the assistant's turn; after
    an empty one they answer without (Ma et al. 2025, Reasoning Models Can Be Effective Without
    Thinking).
    """
    opening = _OPEN_END.search(prompt)
    if opening is None:
        return prompt
    tag = opening[0].strip()
    return f"{prompt.rstrip()}\n\n</{tag[1:]}\n\n"
