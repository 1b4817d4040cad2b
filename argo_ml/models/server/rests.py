"""How long a server asks to be left alone, wherever in an answer it says so."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from argo_ml.models.server.failures import content_of

_LONGEST_REST_S = 600.0
_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(ms|s))?", re.IGNORECASE)
_AGAIN_IN = re.compile(r"\b(?:try again|retry) in (\d[\w.]*)", re.IGNORECASE)
"""How OpenAI and Gemini write it in their texts: 20s, 1m30.5s, 250ms."""


def rest_s(response: httpx2.Response) -> float:
    """Seconds; 0 where the server asks for none.

    ``Retry-After`` is a number or a date, OpenAI has ``retry-after-ms`` beside it, and Gemini a
    ``retryDelay`` among the details of its error.
    """
    seconds = max(_in_headers(response.headers), _in_content(content_of(response)))
    return min(max(0.0, seconds), _LONGEST_REST_S)


def _in_headers(headers: Mapping[str, str]) -> float:
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            seconds = 0.0
    try:
        return max(seconds, float(headers.get("retry-after-ms", "")) / 1000)
    except ValueError:
        return seconds


def _in_content(content: Mapping[str, Any]) -> float:
    error = content.get("error")
    return max(map(_seconds, _times(error)), default=0.0) if isinstance(error, dict) else 0.0


def _times(error: Mapping[str, Any]) -> Iterator[str]:
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(detail.get("retryDelay"), str):
            yield detail["retryDelay"]
    yield from _AGAIN_IN.findall(str(error.get("message", "")))


def _seconds(text: str) -> float:
    """Of a time such as 1m30.5s; 0 for what is none."""
    match = _TIME.match(text)
    hours, minutes, number, unit = match.groups() if match else (None,) * 4
    seconds = float(number or 0) / (1000 if unit and unit.lower() == "ms" else 1)
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + seconds
