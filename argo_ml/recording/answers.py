"""What a pipeline gives for a question, as an outcome of a file of outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from argo_ml.calibration.plans import NONE
from argo_ml.models.server.details import lower_entropy
from argo_ml.replay.reading import ClosedBookFields, StepFields
from argo_ml.results.text_signals import TextSignals
from argo_ml.types import TokenDetail

Outcome = dict[str, Any]
CONVERTED = ("text", "token_logprobs", "top_logprobs", "passages")
"""Names that a pipeline may give beside the fields of an outcome."""
_TEXT_OF_PASSAGE = ("text", "page_content", "content")
"""Where passages have their text: ours, LangChain's, Haystack's; LlamaIndex's is ``text`` too."""


class UnreadableError(ValueError):
    """Why something is no answer; the message begins with what it is."""


def outcome_of(given: object, plan: str) -> Outcome:
    """The outcome of a text, of a mapping that has one, or of a chat message.

    Raises `UnreadableError` for anything else.
    """
    if isinstance(given, str):
        return {"answer": given}
    fields = given if isinstance(given, Mapping) else _of_message(given)
    _check_names(fields, plan)
    answer = fields.get("answer", fields.get("text"))
    if not isinstance(answer, (str, int)) or isinstance(answer, bool):
        raise UnreadableError(f"an answer whose text is {answer!r:.40}")
    kept = {name: value for name, value in fields.items() if name not in CONVERTED}
    return {
        **_signals(fields),
        **{name: _plain(value) for name, value in kept.items()},
        "answer": answer,
        **({"evidence": _evidence(fields["passages"])} if fields.get("passages") else {}),
    }


def _check_names(fields: Mapping[str, Any], plan: str) -> None:
    known = ClosedBookFields if plan == NONE else StepFields
    for name in fields:
        if name not in known.model_fields and name not in CONVERTED:
            raise UnreadableError(
                f"an answer with {name!r:.40}; known: "
                f"{', '.join(dict.fromkeys((*known.model_fields, *CONVERTED)))}"
            )


def _of_message(given: object) -> Mapping[str, Any]:
    """A chat message as LangChain has it, with its log-probabilities and its usage of tokens."""
    text = getattr(given, "content", None)
    if not isinstance(text, str):
        raise UnreadableError(f"{given!r:.40}" if given is not None else "None")
    usage = getattr(given, "usage_metadata", None) or {}
    metadata = getattr(given, "response_metadata", None) or {}
    tokens = (metadata.get("logprobs") or {}).get("content") or ()
    message: dict[str, Any] = {"answer": text}
    if usage:
        message["prompt_tokens"] = usage["input_tokens"]
        message["completion_tokens"] = usage["output_tokens"]
    if tokens:
        message["token_logprobs"] = [token["logprob"] for token in tokens]
        message["top_logprobs"] = [
            [other["logprob"] for other in token.get("top_logprobs") or ()] for token in tokens
        ]
    return message


def _signals(fields: Mapping[str, Any]) -> Outcome:
    """Means over the tokens of the answer; entropy and margin where others than it are known."""
    own = [_logprob(value) for value in fields.get("token_logprobs") or ()]
    if not own:
        return {}
    others = [sorted(map(_logprob, top), reverse=True) for top in fields.get("top_logprobs") or ()]
    if len(others) != len(own) or min(map(len, others)) < 2:
        return TextSignals(logprob=fmean(own), n_tokens=len(own)).recorded
    tokens = [
        TokenDetail("", logprob, lower_entropy(top), top[0] - top[1])
        for logprob, top in zip(own, others, strict=True)
    ]
    return TextSignals.of(tokens).recorded


def _logprob(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -math.inf < value <= 0:
        raise UnreadableError(f"a log-probability {value!r:.40}, which is no number up to 0")
    return float(value)


def _evidence(passages: Sequence[Any]) -> list[Outcome]:
    return [_passage(passage) for passage in passages]


def _passage(passage: Any) -> Outcome:
    if isinstance(passage, str):
        return {"text": passage}
    if isinstance(passage, Mapping):
        return {name: passage[name] for name in ("text", "similarity") if name in passage}
    texts = (getattr(passage, name, None) for name in _TEXT_OF_PASSAGE)
    text = next((text for text in texts if isinstance(text, str)), None)
    if text is None:
        raise UnreadableError(f"a passage {passage!r:.40}, which has no text")
    return {"text": text}


def _plain(value: object) -> object:
    """Numbers of numpy as Python's own, which JSON takes."""
    return value.item() if hasattr(value, "item") else value
