"""What a pipeline gives for a question, as an outcome of a file of outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from argo_ml.calibration.plans import NONE
from argo_ml.models.server.details import lower_entropy
from argo_ml.replay.reading import ClosedBookFields, StepFields
from argo_ml.results.text_signals import TextSignals
from argo_ml.types import TokenDetail

OutcomeValues = dict[str, Any]
"""What a line of a replay has of one outcome, by the names of its fields."""
CONVERTED = ("text", "token_logprobs", "top_logprobs", "passages")
"""Names that a pipeline may give beside the fields of an outcome."""
_TEXT_OF_PASSAGE = ("text", "page_content", "content")
"""Where passages have their text: ours, LangChain's, Haystack's; LlamaIndex's is ``text`` too."""


class UnreadableError(ValueError):
    """Why something is no answer; the message begins with what it is."""


def outcome_of(given: object, plan: str) -> OutcomeValues:
    """The outcome of a text, of a mapping that has one, or of a chat message; None is not given.

    Raises `UnreadableError` for anything else. The values of fields that are taken as they come
    are not looked at.
    """
    if isinstance(given, str):
        return {"answer": given}
    named = as_plain(given if isinstance(given, Mapping) else _of_message(given))
    _check_names(named, plan)
    fields = {name: value for name, value in named.items() if value is not None}
    answer = fields.get("answer", fields.get("text"))
    if not isinstance(answer, (str, int)) or isinstance(answer, bool):
        raise UnreadableError(f"an answer whose text is {answer!r:.40}")
    kept = {name: value for name, value in fields.items() if name not in CONVERTED}
    return {
        **_signals(fields, is_empty=not str(answer).strip()),
        **kept,
        "answer": answer,
        **_evidence(fields, plan),
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
    text = _text_of(getattr(given, "content", None))
    if not isinstance(text, str):
        raise UnreadableError(f"{given!r:.40}" if given is not None else "None")
    usage = _part(given, "usage_metadata")
    tokens = _part(_part(given, "response_metadata"), "logprobs").get("content") or ()
    return {
        "answer": text,
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "token_logprobs": [_value(token, "logprob") for token in tokens],
        "top_logprobs": [
            [_value(other, "logprob") for other in _value(token, "top_logprobs") or ()]
            for token in tokens
        ],
    }


def _text_of(content: object) -> object:
    """What a message says: of a list of blocks those of text, in their order, as LangChain's
    ``text`` has them."""
    if not isinstance(content, list):
        return content
    said = (
        block if isinstance(block, str) else _value(block, "text")
        for block in content
        if isinstance(block, str) or _value(block, "type") == "text"
    )
    return "".join(text for text in said if isinstance(text, str))


def _part(given: object, name: str) -> Mapping[str, Any]:
    """A mapping that a message, or a part of it, has by a name; empty where it has none."""
    part = _value(given, name) or {}
    if not isinstance(part, Mapping):
        raise UnreadableError(f"a message whose {name} is {part!r:.40}")
    return part


def _value(given: object, name: str) -> Any:
    """An item of a mapping, an attribute of anything else; None where there is none."""
    return given.get(name) if isinstance(given, Mapping) else getattr(given, name, None)


def _signals(fields: Mapping[str, Any], is_empty: bool) -> dict[str, Any]:
    """Means over the tokens of the answer; entropy and margin where others than it are known. An
    empty answer has no tokens where its log-probabilities are given."""
    own = [_logprob(value) for value in fields.get("token_logprobs") or ()]
    if not own:
        has_none = is_empty and "token_logprobs" in fields
        return TextSignals(n_tokens=0).recorded if has_none else {}
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


def _evidence(fields: Mapping[str, Any], plan: str) -> dict[str, Any]:
    """What retrieval brought where that is given; an empty list says that it found nothing."""
    passages = fields.get("passages")
    if passages is None or (plan == NONE and not passages):
        return {}
    if plan == NONE:
        raise UnreadableError("an answer with passages, which one without retrieval has none of")
    return {"evidence": [_passage(passage) for passage in passages]}


def _passage(passage: Any) -> dict[str, Any]:
    if isinstance(passage, str):
        return {"text": passage}
    texts = (_value(passage, name) for name in _TEXT_OF_PASSAGE)
    text = next((text for text in texts if isinstance(text, str)), None)
    if text is None:
        raise UnreadableError(f"a passage {passage!r:.40}, which has no text")
    similarity = passage.get("similarity") if isinstance(passage, Mapping) else None
    return {"text": text, **({} if similarity is None else {"similarity": similarity})}


def as_plain(value: Any) -> Any:
    """Numbers and arrays of NumPy, and of libraries like it, as those of Python, which JSON takes,
    also within lists and mappings."""
    if isinstance(value, Mapping):
        return {as_plain(key): as_plain(own) for key, own in value.items()}
    given = value.tolist() if hasattr(value, "tolist") else value
    return [as_plain(own) for own in given] if isinstance(given, (list, tuple)) else given
