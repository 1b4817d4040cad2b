"""HTML, from files and as an intermediate form: the text that a person sees, by headings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bs4 import BeautifulSoup, CData, Tag
from bs4.dammit import EncodingDetector
from bs4.element import NavigableString, PageElement, PreformattedString

from argo_ml.corpus.cleaning import plain_line
from argo_ml.corpus.readers.base import Reading, Section, below_title
from argo_ml.corpus.readers.elements import UNSEEN
from argo_ml.corpus.readers.encodings import decode
from argo_ml.corpus.readers.section_builder import SectionBuilder, rows_of_layout

_MENUS = frozenset(("nav", "search"))
_MENU_ROLES = frozenset(("banner", "contentinfo", "navigation", "search"))
_MARGINS = frozenset(("aside", "footer", "header"))
"""Of the page; within one of `_CONTENT` they belong to the text."""

_CONTENT = ["article", "main", "section"]

LeavesOut = Callable[[Tag], bool]


def read_html(path: Path) -> Reading:
    """Sections of a page; its title comes above its headings.

    Menus, headers, footers and side bars of the page are no text, unless there is nothing else.
    """
    content = path.read_bytes()
    decoded = decode(content, EncodingDetector.find_declared_encoding(content, is_html=True))
    soup = BeautifulSoup(decoded.text, "html.parser")
    sections = _sections(soup, _is_beside_the_text) or _sections(soup, _is_unseen)
    title = soup.title.get_text() if soup.title else ""
    return Reading(below_title(plain_line(title), sections), decoded.guess)


def html_sections(markup: str) -> list[Section]:
    """Sections of a part of a page, without regard to menus."""
    return _sections(BeautifulSoup(markup, "html.parser"), _is_unseen)


def _sections(soup: BeautifulSoup, leaves_out: LeavesOut) -> list[Section]:
    builder = SectionBuilder(rows_of_layout(soup))
    # Without recursion: unclosed elements nest deeper than Python does.
    open_tags: list[tuple[Tag, Iterator[PageElement]]] = [(soup, iter(soup.contents))]
    while open_tags:
        tag, children = open_tags[-1]
        child = next(children, None)
        if child is None:
            open_tags.pop()
            builder.close(tag)
        elif isinstance(child, Tag):
            if not leaves_out(child):
                builder.open(child)
                open_tags.append((child, iter(child.contents)))
            elif child.name == "header":
                open_tags.append((child, iter(child.find_all("h1"))))
        elif isinstance(child, NavigableString) and _is_shown(child):
            builder.add_text(str(child))
    return builder.finish()


def _is_shown(text: NavigableString) -> bool:
    """Comments and declarations are not, and are kinds of preformatted strings."""
    return isinstance(text, CData) or not isinstance(text, PreformattedString)


def _is_unseen(tag: Tag) -> bool:
    return tag.name in UNSEEN or tag.has_attr("hidden")


def _is_beside_the_text(tag: Tag) -> bool:
    if _is_unseen(tag) or tag.name in _MENUS or tag.get("role") in _MENU_ROLES:
        return True
    return tag.name in _MARGINS and tag.find_parent(_CONTENT) is None
