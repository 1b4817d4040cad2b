"""Which way of asking a server takes, and whether its model thinks before it answers."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from argo_ml.errors import ModelError
from argo_ml.models.reasoning import SPECIAL_MARKS, closed, closes_reasoning, opens_reasoning
from argo_ml.models.server.fleet import Fleet
from argo_ml.models.server.prompting import (
    FEWER_TOP,
    GREEDY_SETTINGS,
    MOST_TOP,
    PROBE,
    ByChat,
    ByTemplate,
    ByTokens,
    Prompting,
)
from argo_ml.models.server.replies import LIMIT, ServerReply
from argo_ml.models.server.wire import RefusedError, UnfitPromptError

logger = logging.getLogger(__name__)

_BARE_PROBE = replace(PROBE, prefix="")
"""A prefix keeps some models from thinking."""
_ONE_TOKEN: Mapping[str, Any] = {**GREEDY_SETTINGS, "max_tokens": 1}
_FEW_TOKENS: Mapping[str, Any] = {**GREEDY_SETTINGS, "max_tokens": 16, "stop": ["\n\n\n"]}
"""The fewest that gateways to GPT-5 take; with a stop string, since a server may refuse that."""
_FIRST_TOKENS: Mapping[str, Any] = {
    **GREEDY_SETTINGS,
    "max_tokens": 4,
    "skip_special_tokens": False,
}
_WHOLE, _LESS, _SHORT = 512, 128, 64
"""Tokens for a whole answer, for one where the server has no room for so many, and for one that
shows no reasoning."""
_LONGEST_END = 24
"""Tokens at a prompt's end among which the opening of reasoning is looked for."""


def find_prompting(fleet: Fleet, model: str) -> Prompting:
    """The most exact way that the server takes.

    The llama.cpp server has a ``/tokenize`` as well, of another kind, so it is recognised first.
    Raises `ModelError` where the server cannot be asked in any way.
    """
    reason = RefusedError("")
    for way in (ByTemplate, ByTokens, ByChat):
        for has_system_role in (True, False):
            prompting: Prompting = way(fleet, model, has_system_role)
            try:
                if has_system_role and not _keeps_system_text(prompting):
                    continue
                return _tried(prompting)
            except RefusedError as error:
                reason = error
    raise reason


def find_n_top(prompting: Prompting) -> int:
    """How many of the most probable tokens at each place the server tells of, at most `MOST_TOP`;
    also that where it tells of none.

    What follows of an answer's tokens depends on it, so it is found once and for all requests.
    """
    settings = _FEW_TOKENS if isinstance(prompting, ByChat) else _ONE_TOKEN
    for n_top in (MOST_TOP, FEWER_TOP):
        with contextlib.suppress(RefusedError):
            prompting.complete(PROBE, settings, n_top)
            return n_top
    return MOST_TOP


def _tried(prompting: Prompting) -> Prompting:
    if isinstance(prompting, ByChat):
        return _chatting(prompting)
    if isinstance(prompting, ByTokens):
        if _is_open_before_prefix(prompting):
            raise RefusedError("its template opens reasoning before the beginning of an answer")
        closing = _closing_reasoning(prompting)
        _check_marks(closing)
        return closing
    prompting.complete(PROBE, _ONE_TOKEN)
    return _showing_marks(prompting)


def _showing_marks(prompting: ByTemplate) -> ByTemplate:
    """The same with those marks of reasoning that are tokens of its own to this model."""
    with contextlib.suppress(RefusedError):
        marks = [mark for pair in SPECIAL_MARKS.items() for mark in pair]
        own = tuple(mark for mark in marks if len(prompting.plain(mark)) == 1)
        return replace(prompting, marks=own)
    return prompting


def _keeps_system_text(prompting: Prompting) -> bool:
    """Some templates leave it out without a word; what a chat makes of it cannot be seen."""
    if isinstance(prompting, ByChat):
        return True
    return prompting.render(PROBE) != prompting.render(replace(PROBE, system="Explain it."))


def _closing_reasoning(prompting: ByTokens) -> ByTokens:
    """The same with what closes the reasoning that a new turn of this template opens.

    Of a server that does not say which text tokens have nothing is changed.
    """
    ids = prompting.render(_BARE_PROBE)[-_LONGEST_END:]
    with contextlib.suppress(RefusedError):
        for n_open in range(1, len(ids) + 1) if _is_open(prompting.text(ids)) else ():
            end = prompting.text(ids[-n_open:])
            if _is_open(end):
                closing = tuple(prompting.plain(closed(end)))
                return replace(prompting, n_open=n_open, closing=closing)
    return prompting


def _is_open_before_prefix(prompting: ByTokens) -> bool:
    """Whether a model would go on with reasoning after a prefix.

    SGLang writes the prefix behind what opens a new turn, which may open reasoning, where vLLM has
    the template write a turn that ends by it. Of a server that does not say which text tokens have
    nothing is known.
    """
    with contextlib.suppress(RefusedError):
        end = prompting.text(prompting.render(PROBE)[-_LONGEST_END:])
        return _is_open(end.rstrip().removesuffix(PROBE.prefix))
    return False


def _is_open(text: str) -> bool:
    """Whether a model goes on with reasoning after a prompt that ends so."""
    return closed(text) != text


def _check_marks(prompting: ByTokens) -> None:
    """Raises `ModelError` where reasoning could not be told from answers.

    Raises `RefusedError` where the server cannot be asked in this way.
    """
    text = prompting.complete(_BARE_PROBE, _FIRST_TOKENS).text.lstrip()
    mark = next((mark for mark in SPECIAL_MARKS if text.startswith(mark)), None)
    if mark is not None:
        raise ModelError(
            f"{prompting.model}: opens its reasoning by {mark}, which this server leaves out of "
            "texts, so that reasoning would be taken for answers; run the model in this process "
            "(engine=auto), or use another one"
        )


def _chatting(prompting: ByChat) -> ByChat:
    """The same with the fields that the server takes, and without reasoning where it can."""
    while True:
        try:
            prompting.complete(PROBE, _FEW_TOKENS)
            break
        except UnfitPromptError as error:
            fields = prompting.fields.without_refused(str(error))
            if fields is None:
                raise
            prompting = replace(prompting, fields=fields)
    reply = _bare_answer(prompting)
    return _without_thinking(prompting, reply) if _suspicion(reply) else prompting


def _without_thinking(prompting: ByChat, reply: ServerReply) -> ByChat:
    """The same for a model that has given ``reply``, and seems to think.

    That is switched off where the server can. A model that runs on without a sign of reasoning, and
    does so with the switch as well, is asked as ever.
    """
    asking = replace(prompting, stops_thinking=True)
    with contextlib.suppress(RefusedError):
        switched = _bare_answer(asking, _WHOLE if reply.has_thought else _SHORT)
        if _suspicion(switched) < _suspicion(reply):
            return asking
    if reply.has_thought:
        inside = closes_reasoning(reply.text) and not opens_reasoning(reply.text)
        return replace(prompting, thinks=True, begins_inside=inside)
    logger.warning(
        "%s does not come to the end of a short answer: if it thinks without a sign of that, "
        "reasoning is taken for answers; let the server give reasoning apart",
        prompting.model,
    )
    return prompting


def _suspicion(reply: ServerReply) -> int:
    """How much an answer to a short question looks like one of a model that thinks."""
    return 2 if reply.has_thought else int(reply.ending == LIMIT)


def _bare_answer(prompting: ByChat, n_tokens: int = _WHOLE) -> ServerReply:
    most, less = ({**GREEDY_SETTINGS, "max_tokens": n} for n in (n_tokens, min(n_tokens, _LESS)))
    try:
        return prompting.whole_answer(_BARE_PROBE, most)
    except UnfitPromptError:
        return prompting.whole_answer(_BARE_PROBE, less)
