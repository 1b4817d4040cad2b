"""reStructuredText, read by docutils with nothing inserted from other files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.core import publish_doctree

from argo_ml.corpus.readers.base import Reading, Section
from argo_ml.corpus.readers.encodings import decode
from argo_ml.corpus.readers.sphinx_names import register_names
from argo_ml.corpus.readers.superscripts import mark_before_raised

_NEVER = 5
_ERROR = 3

_SETTINGS: Mapping[str, Any] = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": _NEVER,
    "halt_level": _NEVER,
    "syntax_highlight": "none",
    "docinfo_xform": False,
}


_SWALLOWED_MARKUP = re.compile(r"^(?!\.\. |\s)(.+)\n(?=\.\. )", re.MULTILINE)
"""A line of text right above a comment or directive, which docutils would take for more text."""

_ONLY_MARKUP = re.compile(r"(\s*\.\. [\w-]+::\s*)+")


def read_rst(path: Path) -> Reading:
    decoded = decode(path.read_bytes())
    return Reading(rst_sections(decoded.text), decoded.guess)


def rst_sections(text: str) -> list[Section]:
    """Sections in order; Sphinx's directives and roles keep their text."""
    text = _SWALLOWED_MARKUP.sub(r"\1\n\n", text)
    register_names(text)
    settings = {**_SETTINGS, "warning_stream": io.StringIO()}
    document = publish_doctree(text, settings_overrides=settings)
    return list(_sections(document, ()))


def _sections(node: nodes.Element, above: tuple[str, ...]) -> Iterator[Section]:
    """``node``'s own text, then its subsections."""
    headings = [_text(child) for child in node.children if _is_heading(child)]
    titles = (*above, *filter(None, headings))
    children = [child for child in node.children if not _is_heading(child)]
    own = [child for child in children if not isinstance(child, nodes.section)]
    text = "\n\n".join(block for child in own for block in _blocks(child))
    if text:
        yield Section(titles, text)
    for child in children:
        if isinstance(child, nodes.section):
            yield from _sections(child, titles)


def _is_heading(node: nodes.Node) -> bool:
    return isinstance(node, (nodes.title, nodes.subtitle))


_Render = Callable[[Any], list[str]]


def _blocks(node: nodes.Node) -> list[str]:
    """Paragraphs, list items, listings and rows of ``node`` as text."""
    for kinds, render in _RENDERERS:
        if isinstance(node, kinds):
            return [block for block in render(node) if block]
    return _children(node)


def _children(node: nodes.Node) -> list[str]:
    return [block for child in node.children for block in _blocks(child)]


def _nothing(node: nodes.Node) -> list[str]:
    return []


def _topic(node: nodes.topic) -> list[str]:
    return [] if "contents" in node["classes"] else _children(node)


def _paragraph(node: nodes.Element) -> list[str]:
    return [_text(node)]


def _listing(node: nodes.Element) -> list[str]:
    text = node.astext().strip("\n")
    # Where a paragraph that ends in «::» is followed by a directive, that is the listing.
    return [] if _ONLY_MARKUP.fullmatch(text) else [text]


def _line_block(node: nodes.line_block) -> list[str]:
    return ["\n".join(_children(node))]


def _items(node: nodes.Element) -> list[str]:
    start = int(node.get("start", 1))
    numbered = isinstance(node, nodes.enumerated_list)
    items = []
    for number, item in enumerate(node.children, start):
        mark = f"{number}." if numbered else "-"
        text = "\n".join(_children(item))
        if text:
            items.append(f"{mark} {text}")
    return ["\n".join(items)]


def _pair(node: nodes.Element) -> list[str]:
    """A term and its definition, a field and its value, an option and its description."""
    *names, body = node.children
    name = ", ".join(filter(None, (_text(child) for child in names)))
    text = "\n".join(_blocks(body))
    return [f"{name}: {text}" if name and text else name or text]


def _pairs(node: nodes.Element) -> list[str]:
    return ["\n".join(_children(node))]


def _table(node: nodes.table) -> list[str]:
    rows = []
    for row in node.findall(nodes.row):
        cells = [" ".join(" ".join(_blocks(cell)).split()) for cell in row.children]
        if any(cells):
            rows.append(" | ".join(cells))
    titles = [_text(child) for child in node.children if isinstance(child, nodes.title)]
    return [*titles, "\n".join(rows)]


_MARKUP_LINE = re.compile(r"^\s*(\.\. .*::.*|:[\w-]+:.*|[=~^\"'`#*+_-]{3,})$")


def _message(node: nodes.system_message) -> list[str]:
    """The text of a block that docutils refused, such as a table with ragged columns.

    Messages below errors are about nothing that is lost, or about files not inserted.
    """
    if node["level"] < _ERROR:
        return []
    lines = [
        line
        for block in node.findall(nodes.literal_block)
        for line in block.astext().splitlines()
        if not _MARKUP_LINE.match(line)
    ]
    return ["\n".join(lines).strip("\n")]


_RENDERERS: tuple[tuple[tuple[type[Any], ...], _Render], ...] = (
    ((nodes.system_message,), _message),
    ((nodes.topic,), _topic),
    ((nodes.image, nodes.pending, nodes.raw, nodes.Invisible, nodes.label), _nothing),
    ((nodes.literal_block, nodes.doctest_block, nodes.math_block), _listing),
    ((nodes.line_block,), _line_block),
    ((nodes.table,), _table),
    ((nodes.bullet_list, nodes.enumerated_list), _items),
    ((nodes.definition_list, nodes.field_list, nodes.option_list), _pairs),
    ((nodes.definition_list_item, nodes.field, nodes.option_list_item), _pair),
    ((nodes.TextElement, nodes.Text), _paragraph),
)
"""The first that fits renders a node."""

_MARKS = re.compile(r"^[`|]+|[`|]*_{0,2}$")


def _text(node: nodes.Node) -> str:
    return " ".join(_inline(node).split())


def _inline(node: nodes.Node) -> str:
    if isinstance(node, nodes.Text):
        return str(node.astext())
    if isinstance(node, (nodes.image, nodes.system_message, nodes.footnote_reference)):
        return ""
    if isinstance(node, nodes.problematic):
        return _MARKS.sub("", node.astext())
    parts: list[str] = []
    for child in node.children:
        text = _inline(child)
        if isinstance(child, nodes.superscript):
            text = mark_before_raised(parts, text) + text
        parts.append(text)
    return "".join(parts)
