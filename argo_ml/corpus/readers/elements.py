"""Names of HTML's elements, by what becomes of their text."""

from __future__ import annotations


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
GROUPS = _names("dir dl menu ol table ul")
CELLS = _names("td th")

BLOCKS = GROUPS | _names(
    "address article aside blockquote body button caption center dd details dialog div dt",
    "fieldset figcaption figure footer form header hgroup hr html input legend li main nav",
    "optgroup option p pre search section select summary tbody td textarea tfoot th thead tr",
)
"""Set apart from the text around them."""

UNSEEN = _names(
    "audio canvas datalist desc iframe noscript object rp script style template title video"
)

MARKDOWN_TAGS = BLOCKS.union(
    HEADINGS,
    _names(
        "a abbr area audio b bdi bdo big br canvas cite code col colgroup data del dfn em embed",
        "font i img ins kbd label map mark meter output picture progress q rp rt ruby s samp small",
        "source span strike strong sub sup time track tt u var video wbr",
    ),
) - {"body", "html", "textarea"}
"""What people write in Markdown; other names in angle brackets are words."""

MARKDOWN_BLOCKS = MARKDOWN_TAGS | _names("noscript script style template")
"""Where a block begins with them; within a sentence the last four are words."""

FLAGS = _names(
    "allowfullscreen async autoplay checked controls defer disabled hidden loop muted noshade",
    "nowrap open readonly required reversed selected",
)
"""Attributes that have no value."""
