"""Every link between the documents leads to a file, and to a heading of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "benchmarks/README.md"]


def anchors(page: Path) -> set[str]:
    """The addresses that GitHub gives to the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    known: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        known.add(f"{plain}-1" if plain in known else plain)
    return known


def leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    linked = (page.parent / path).resolve() if path else page
    return linked.exists() and (not anchor or anchor in anchors(linked))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))

    own = [target for target in targets if not target.startswith("http")]

    assert [target for target in own if not leads_somewhere(page, target)] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen = {ROOT / "README.md"}
    waiting = list(seen)
    while waiting:
        page = waiting.pop()
        targets = re.findall(r"\]\(([^)\s#]+\.md)[)#]", page.read_text(encoding="utf-8"))
        linked = {(page.parent / target).resolve() for target in targets}
        waiting += [own for own in linked - seen if own.exists()]
        seen |= linked

    assert {page for page in PAGES if page.parent.name == "docs"} <= seen
