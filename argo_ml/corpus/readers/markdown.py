"""Markdown as CommonMark renders it, with tables; what only looks like a tag stays text."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference
from markdown_it.token import Token

from argo_ml.corpus.cleaning import plain_line
from argo_ml.corpus.readers.base import Reading, Section, below_title
from argo_ml.corpus.readers.elements import FLAGS, MARKDOWN_BLOCKS, MARKDOWN_TAGS
from argo_ml.corpus.readers.encodings import decode
from argo_ml.corpus.readers.html import html_sections
from argo_ml.parsing import MalformedError, parse_yaml

_MAX_NESTING = 100
_FRONT_MATTER = re.compile(
    r"\A(---|\+\+\+)[ \t]*\n((?:[\w\"'](?=[^\n]*[:=])[^\n]*\n|[ \t\-#\[\]{}][^\n]*\n|\n)*?)"
    r"(?:\1|\.\.\.)[ \t]*(?:\n|\Z)"
)
"""Lines of fields, of what belongs to them, and of comments, between two rules at the beginning."""

_TOML_TITLE = re.compile(r"^title\s*=\s*[\"'](.*)[\"']\s*$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>")
_ANY_BRACKET = re.compile(rf"{_TAG.pattern}|<(?=[A-Za-z/])")
_ATTRIBUTE = re.compile(r"[\w:@.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)")


def read_markdown(path: Path) -> Reading:
    decoded = decode(path.read_bytes())
    return Reading(markdown_sections(decoded.text), decoded.guess)


def markdown_sections(text: str) -> list[Section]:
    """Sections in order; the title of front matter comes above their headings."""
    title, body = _without_front_matter(text)
    return below_title(plain_line(title), html_sections(_html(body)))


def _without_front_matter(text: str) -> tuple[str, str]:
    """The title that it gives, and what follows it."""
    match = _FRONT_MATTER.match(text)
    if match is None or not re.search(r"^[\w\"'][^\n]*[:=]", match[2], re.MULTILINE):
        return "", text
    return _title_of(match[2]), text[match.end() :]


def _title_of(fields: str) -> str:
    toml = _TOML_TITLE.search(fields)
    if toml:
        return toml[1]
    try:
        values = parse_yaml(fields.encode(errors="replace"))
    except MalformedError:
        return ""
    title = values.get("title") if isinstance(values, dict) else None
    return title if isinstance(title, str) else ""


def _html(text: str) -> str:
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _MAX_NESTING})
    parser.enable(["table", "strikethrough"])
    parser.block.ruler.at("reference", _link_target)
    environment: dict[str, Any] = {}
    tokens = parser.parse(text, environment)
    for token in tokens:
        if token.type == "html_block":
            token.content = _block(parser, environment, token.content)
        for child in token.children or ():
            _keep_words(child)
    return str(parser.renderer.render(tokens, parser.options, environment))


def _link_target(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Definitions of link targets are not shown; a footnote of one word looks like one."""
    begin = state.bMarks[start] + state.tShift[start]
    return not state.src.startswith("[^", begin) and reference(state, start, end, silent)


def _block(parser: MarkdownIt, environment: dict[str, Any], content: str) -> str:
    """A block of HTML; Markdown that follows a comment on its line is read as such."""
    # What opens after the last end is none, and would be looked for to the end of the text.
    ends = content.rfind("-->") + len("-->") if "-->" in content else 0
    begin, end = _COMMENT.sub("", content[:ends]), content[ends:]
    rest = begin + end
    if rest != content and not rest.lstrip().startswith("<"):
        return str(parser.render(rest, environment))
    return _ANY_BRACKET.sub(_escaped_unless_tag, begin + end.replace("<!--", "&lt;!--"))


def _escaped_unless_tag(match: re.Match[str]) -> str:
    tag = _TAG.fullmatch(match[0])
    return match[0] if tag and _is_tag(tag, MARKDOWN_BLOCKS) else escape(match[0])


def _keep_words(token: Token) -> None:
    match = _TAG.fullmatch(token.content) if token.type == "html_inline" else None
    if match and not _is_tag(match, MARKDOWN_TAGS):
        token.type = "text"


def _is_tag(match: re.Match[str], names: frozenset[str]) -> bool:
    """Whether it is more than words in angle brackets, as in «a<b and c>d» or «Vector<T>»."""
    name, attributes = match[2].lower(), match[3]
    words = _ATTRIBUTE.sub("", attributes).replace("/", " ").split()
    if not all(word.lower() in FLAGS for word in words):
        return False
    return name in names or "-" in name or '="' in attributes
