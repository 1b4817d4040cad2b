"""Directives and roles that docutils does not know, mostly Sphinx's: their text is kept.

docutils looks names up in one table per process, so the names that a text uses are entered there,
except those that docutils defines itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en

_DIRECTIVE = re.compile(r"^[ \t]*\.\. +(?:\|[^|\n]+\| +)?([\w.:+-]+?) ?::(?=\s|$)", re.MULTILINE)
_ROLE = re.compile(r":([A-Za-z][\w.:+-]*?):`|`:([A-Za-z][\w.:+-]*?):")
_GENERATED_PAGES = ("genindex", "modindex", "search")
_TITLE_AND_TARGET = re.compile(r"(.+?)\s*<[^<>]+>", re.DOTALL)


class _AnyOption:
    """An option table that accepts every option."""

    def __getitem__(self, name: str) -> Any:
        return lambda value: value


class _Kept(Directive):
    """Keeps the directive's argument and content as text."""

    required_arguments = 0
    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = _AnyOption()  # type: ignore[assignment]

    def run(self) -> list[nodes.Node]:
        container = nodes.container()
        container += self.argument_nodes()
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]

    def argument_nodes(self) -> list[nodes.Node]:
        if not self.arguments:
            return []
        text, messages = self.state.inline_text(self.arguments[0], self.lineno)
        return [nodes.paragraph("", "", *text), *messages]


class _ContentOnly(_Kept):
    """Keeps the content of directives whose argument is a condition or a setting."""

    def argument_nodes(self) -> list[nodes.Node]:
        return []


class _Code(_Kept):
    """Keeps a program listing as it is; the argument is its language."""

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        return [nodes.literal_block(text, text)]


class _Dropped(_Kept):
    """Drops directives without text of their own."""

    def run(self) -> list[nodes.Node]:
        return []


_DIRECTIVES: Mapping[str, type[Directive]] = {
    **dict.fromkeys(("code-block", "sourcecode"), _Code),
    **dict.fromkeys(("only", "ifconfig", "cssclass", "rst-class"), _ContentOnly),
    **dict.fromkeys(
        (
            "autoclass",
            "autofunction",
            "automethod",
            "automodule",
            "autosummary",
            "currentmodule",
            "default-domain",
            "doxygenclass",
            "doxygenfile",
            "doxygenfunction",
            "graphviz",
            "highlight",
            "highlightlang",
            "index",
            "literalinclude",
            "mermaid",
            "module",
            "openapi",
            "py:currentmodule",
            "py:module",
            "sectionauthor",
            "swaggerv2doc",
            "tabularcolumns",
            "toctree",
            "uml",
            "video",
            "youtube",
        ),
        _Dropped,
    ),
}
"""What is not here and not docutils' own is `_Kept`."""


def register_names(text: str) -> None:
    """Make docutils accept the directives and roles in ``text``."""
    for name in {match.group(1).lower() for match in _DIRECTIVE.finditer(text)}:
        if name in _DIRECTIVES or name not in en.directives:
            directives.register_directive(name, _DIRECTIVES.get(name, _Kept))
    for name in {(match.group(1) or match.group(2)).lower() for match in _ROLE.finditer(text)}:
        if name not in en.roles:
            # The stubs ask for nodes of one kind where docutils takes any.
            role: Any = _document if name == "doc" else _reference
            roles.register_local_role(name, role)


def _reference(
    role: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any, **__: Any
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    shown = _shown(text)
    return ([] if shown in _GENERATED_PAGES else [nodes.inline(rawtext, shown)]), []


def _document(
    role: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any, **__: Any
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    shown = _shown(text)
    if shown == nodes.unescape(text):
        # A path without a title: its last part is all that says something.
        shown = PurePosixPath(shown).stem.replace("-", " ").replace("_", " ")
    return [nodes.inline(rawtext, shown)], []


def _shown(text: str) -> str:
    """What Sphinx would show of ``title <target>``, ``~package.Name`` or ``!name``."""
    text = nodes.unescape(text).strip()
    match = _TITLE_AND_TARGET.fullmatch(text)
    if match:
        return match.group(1)
    if text.startswith("~"):
        return text.rpartition(".")[2].lstrip("~")
    return text.lstrip("!")
