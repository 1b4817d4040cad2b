"""Sections of text put together from the elements of a page, in the order that they are seen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from bs4 import Tag

from argo_ml.corpus.readers.base import Section
from argo_ml.corpus.readers.elements import BLOCKS, CELLS, GROUPS, HEADINGS
from argo_ml.corpus.readers.superscripts import mark_before_raised

_LAYOUT = ["table", "pre", *HEADINGS]
"""A row that holds one of these arranges a page and is no row of values."""

Rows = frozenset[int]
"""By `id` of their elements."""

_SPACES = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n\s*")


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph, list item or row; those of one ``group`` follow line by line."""

    text: str
    group: int


@dataclass(slots=True)
class SectionBuilder:
    """Takes a page's elements as they open and close, with the text between them.

    ``layout`` are the page's `rows_of_layout`.
    """

    layout: Rows
    sections: list[Section] = field(default_factory=list)
    _titles: dict[int, str] = field(default_factory=dict)
    _has_new_title: bool = False
    _blocks: list[_Block] = field(default_factory=list)
    _inline: list[str] = field(default_factory=list)
    _heading: int = 0
    _row: list[str] | None = None
    _in_cell: bool = False
    _n_pre: int = 0
    _n_groups: int = 0
    _groups: list[int] = field(default_factory=list)
    _numbers: list[int | None] = field(default_factory=list)
    _marker: str = ""
    _begins_raised: bool = False

    def add_text(self, text: str) -> None:
        if self._begins_raised:
            self._inline.append(mark_before_raised(self._inline, text))
            self._begins_raised = False
        self._inline.append(text)

    def open(self, tag: Tag) -> None:
        if tag.name == "br":
            self._inline.append("\n")
        elif tag.name == "sup":
            self._begins_raised = True
        elif tag.name in HEADINGS:
            self._open_heading(int(tag.name[1]))
        elif tag.name in BLOCKS:
            self._break()
            self._open_block(tag)

    def close(self, tag: Tag) -> None:
        if tag.name == "sup":
            self._begins_raised = False
        elif tag.name in HEADINGS:
            if self._heading == int(tag.name[1]):
                self._close_heading()
        elif tag.name in BLOCKS:
            self._close_cell_or_row(tag.name)
            self._break()
            self._close_block(tag)

    def finish(self) -> list[Section]:
        self._close_heading()
        self._end_section()
        if self._has_new_title:
            self._add_bare_title()
        return self.sections

    def _open_block(self, tag: Tag) -> None:
        if tag.name in GROUPS and self._row is None:
            self._open_group(tag)
        elif tag.name == "li" and self._row is None:
            self._marker = self._next_marker(tag)
        elif tag.name == "pre":
            self._n_pre += 1
        elif tag.name == "tr" and id(tag) not in self.layout:
            self._end_row()
            self._row = []
        elif tag.name in CELLS and self._row is not None:
            self._end_cell()
            self._in_cell = True

    def _close_block(self, tag: Tag) -> None:
        if tag.name in GROUPS and self._row is None and self._groups:
            self._groups.pop()
            self._numbers.pop()
        elif tag.name == "li":
            self._marker = ""
        elif tag.name == "pre":
            self._n_pre -= 1

    def _open_group(self, tag: Tag) -> None:
        if not self._groups:
            self._n_groups += 1
        self._groups.append(self._n_groups)
        start = _whole_number(tag.get("start"), 1) if tag.name == "ol" else None
        self._numbers.append(start)

    def _next_marker(self, tag: Tag) -> str:
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            return "- "
        number = _whole_number(tag.get("value"), number)
        self._numbers[-1] = number + 1
        return f"{number}. "

    def _close_cell_or_row(self, name: str) -> None:
        if name in CELLS and self._row is not None:
            self._end_cell()
        elif name in ("tr", "table"):
            self._end_row()

    def _end_cell(self) -> None:
        if self._row is not None and self._in_cell:
            self._row.append(self._take_line())
            self._in_cell = False

    def _end_row(self) -> None:
        self._end_cell()
        cells, self._row = self._row, None
        if cells and any(cells):
            self._add_block(f"| {' | '.join(cells)} |")

    def _open_heading(self, level: int) -> None:
        self._close_heading()
        self._end_row()
        self._end_section()
        if self._has_new_title and level <= max(self._titles):
            self._add_bare_title()
        self._heading = level

    def _close_heading(self) -> None:
        level, self._heading = self._heading, 0
        title = self._take_line() if level else ""
        if title:
            self._titles = {above: text for above, text in self._titles.items() if above < level}
            self._titles[level] = title
            self._has_new_title = True

    def _break(self) -> None:
        """End a paragraph; headings and cells are one line whatever is in them."""
        if self._heading or self._row is not None:
            self._inline.append(" ")
        else:
            self._flush()

    def _flush(self) -> None:
        text = "".join(self._inline)
        self._inline = []
        text = text.strip("\n") if self._n_pre else _folded(text)
        if text.strip():
            self._add_block(self._marker + text)
            self._marker = ""

    def _take_line(self) -> str:
        line = " ".join("".join(self._inline).split())
        self._inline = []
        return line

    def _add_block(self, text: str) -> None:
        self._blocks.append(_Block(text, self._groups[-1] if self._groups else 0))

    def _end_section(self) -> None:
        self._flush()
        if self._blocks:
            self._add_section(_joined(self._blocks))
            self._blocks = []

    def _add_bare_title(self) -> None:
        """A heading with nothing below it is text that somebody wrote."""
        self._add_section(self._titles[max(self._titles)])

    def _add_section(self, text: str) -> None:
        titles = tuple(self._titles[level] for level in sorted(self._titles))
        self.sections.append(Section(titles, text))
        self._has_new_title = False


def rows_of_layout(page: Tag) -> Rows:
    """The rows that arrange a page, in time that does not grow with how deeply they nest."""
    around: set[int] = set()
    rows = set()
    for tag in page.find_all(_LAYOUT):
        for above in tag.parents:
            if id(above) in around:
                break
            around.add(id(above))
            if above.name == "tr":
                rows.add(id(above))
    return frozenset(rows)


def _folded(text: str) -> str:
    return _LINE_ENDS.sub("\n", _SPACES.sub(" ", text)).strip()


def _joined(blocks: list[_Block]) -> str:
    parts = [blocks[0].text]
    for before, block in pairwise(blocks):
        together = block.group != 0 and block.group == before.group
        parts.extend(("\n" if together else "\n\n", block.text))
    return "".join(parts)


def _whole_number(value: object, default: int) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
