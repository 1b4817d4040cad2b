"""What servers say went wrong, wherever in an answer they say so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx2

from argo_ml.addresses import without
from argo_ml.errors import one_line

_LONGEST_TEXT = 200
_LONGEST_FIELD = 40
_DEEPEST_REASON = 5
_LARGEST_FAILURE = 65_536
"""Bytes of the body of a failure that are looked through for its reason."""


def beginning(text: str, length: int, secrets: Sequence[str]) -> str:
    """As much of a text as is shown, in one line; part of a secret could not be found any more."""
    return one_line(without(text, secrets)[:_LARGEST_FAILURE])[:length]


def failure_of(response: httpx2.Response, secrets: Sequence[str]) -> str:
    """Its status and what the server says, in one line that names none of ``secrets``."""
    status = response.status_code
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    said = message_of(content_of(response), secrets)
    return f"HTTP {status} {phrase}".rstrip() + (f" ({said})" if said else "")


def content_of(response: httpx2.Response) -> Mapping[str, Any]:
    """What a failure says; empty where it is no JSON object, or too large to be looked through."""
    return _parsed(response.content) if len(response.content) < _LARGEST_FAILURE else {}


def status_of(content: Mapping[str, Any]) -> int:
    """The HTTP status that an error within an answer has as its ``code``; 0 where it has none."""
    error = content.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    number = int(code) if isinstance(code, str) and code.isdecimal() else code
    return number if isinstance(number, int) and _is_failure(number) else 0


def _is_failure(status: int) -> bool:
    return HTTPStatus.BAD_REQUEST <= status < 600


def message_of(content: Mapping[str, Any], secrets: Sequence[str]) -> str:
    """What the server says, and the name of the field that it is about."""
    parts = [content, _passed_on(content)]
    text = ": ".join(text for part in parts if (text := _first_text(part)))
    text = beginning(text, _LONGEST_TEXT, secrets)
    fields = [field for part in parts if (field := _refused_field(part))]
    field = beginning(fields[0], _LONGEST_FIELD, secrets) if fields else ""
    return f"{text}: {field}" if field and field not in text else text


def _parsed(content: bytes | str) -> Mapping[str, Any]:
    """A JSON object, also where it is the first of a list (Gemini); empty for what is none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, dict) else {}


def _passed_on(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The error of the server behind this one, where OpenRouter passes that on."""
    value: Any = content
    for name in ("error", "metadata", "raw"):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, str):
        return _parsed(value) or {"message": value}
    return value if isinstance(value, dict) else {}


def _refused_field(content: Mapping[str, Any]) -> str:
    """Which field of the request the error is about, where OpenAI's shape says so."""
    error = content.get("error")
    field = error.get("param") if isinstance(error, dict) else None
    return field if isinstance(field, str) else ""


def _first_text(content: Mapping[str, Any], depth: int = 0) -> str:
    for name in ("message", "error", "detail"):
        value = content.get(name)
        if isinstance(value, dict) and depth < _DEEPEST_REASON:
            return _first_text(value, depth + 1)
        if value:
            return str(value)
    return ""
