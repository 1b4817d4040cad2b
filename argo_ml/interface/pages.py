"""How results show themselves in a notebook: short HTML in which data stays text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from argo_ml.addresses import redacted
from argo_ml.escaping import visible

MOST_ROWS = 60
"""Rows of a table that are shown."""


def page(lines: Iterable[str], header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Sentences, and below them a table."""
    left_out = len(rows) - MOST_ROWS
    more = [f"{left_out} more rows: to_frame() has all"] if left_out > 0 else []
    body = "".join(_row("td", row) for row in rows[:MOST_ROWS])
    table = f"<table><thead>{_row('th', header)}</thead><tbody>{body}</tbody></table>"
    return f"<div>{_paragraphs(lines)}{table if rows else ''}{_paragraphs(more)}</div>"


def _paragraphs(lines: Iterable[str]) -> str:
    return "".join(f"<p>{_text(line)}</p>" for line in lines)


def _row(tag: str, values: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(value)}</{tag}>' for value in values)}</tr>"


def _text(value: str) -> str:
    return html.escape(visible(redacted(value)))
