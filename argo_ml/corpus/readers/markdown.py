"""Markdown, from files and as an intermediate form: sections by heading, without links' targets."""

from __future__ import annotations

import re
from pathlib import Path

from langchain_text_splitters import MarkdownHeaderTextSplitter

from argo_ml.corpus.readers.base import Section, read_utf8

_LEVELS = [("#" * level, str(level)) for level in range(1, 7)]

_RULES = (
    # Front matter, comments, images.
    (re.compile(r"\A---\n.*?\n---\n", re.DOTALL), ""),
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"!\[[^\]]*\](\([^)]*\)|\[[^\]]*\])"), ""),
    # Links keep their text; definitions of link targets go.
    (re.compile(r"\[([^\]\[]*)\](\([^)]*\)|\[[^\]]*\])"), r"\1"),
    (re.compile(r"^ {0,3}\[[^\]]+\]:\s.*$", re.MULTILINE), ""),
    # Tags that Markdown files use for layout.
    (
        re.compile(r"</?(?:a|b|br|center|details|div|em|img|p|span|strong|summary)\b[^>]*>", re.I),
        "",
    ),
    # Lines of a table that only rule it off.
    (
        re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*(\n|\Z)", re.M),
        "",
    ),
)
_UNDERLINED = re.compile(r"^(?![ \t]*[-*#>|])(\S.*)\n(=+|-{2,})[ \t]*$", re.MULTILINE)
_CLOSING = re.compile(r"\s+#+$")


def read_markdown(path: Path) -> list[Section]:
    return markdown_sections(read_utf8(path))


def markdown_sections(text: str) -> list[Section]:
    """Sections in order; an underlined heading counts as one."""
    text = _UNDERLINED.sub(_as_hashes, text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    pieces = MarkdownHeaderTextSplitter(_LEVELS).split_text(text)
    return [
        Section(
            tuple(_plain(piece.metadata[level]) for level in sorted(piece.metadata)),
            # The splitter joins paragraphs by a Markdown line break.
            piece.page_content.replace("  \n", "\n\n"),
        )
        for piece in pieces
    ]


def _as_hashes(match: re.Match[str]) -> str:
    hashes = "#" if match.group(2).startswith("=") else "##"
    return f"{hashes} {match.group(1)}"


def _plain(heading: str) -> str:
    return _CLOSING.sub("", heading).replace("*", "").replace("`", "").strip()
