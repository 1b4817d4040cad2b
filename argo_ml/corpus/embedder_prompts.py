"""What an embedder reads before every query and passage, as some were trained to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CONFIG = "config_sentence_transformers.json"
QUERY, PASSAGE = "query", "document"
"""Sentence Transformers' names of them."""
PASSAGE_NAMES = (PASSAGE, "passage", "corpus")
"""Names under which models have saved a passage's; the library reads the first that is there, even
an empty one, which it sets itself."""


@dataclass(frozen=True, slots=True)
class GivenPrompts:
    """Those of a user; an empty one is the model's own."""

    query: str = ""
    passage: str = ""


OWN_PROMPTS = GivenPrompts()


def added_prompts(folder: Path, given: GivenPrompts) -> dict[str, str]:
    """Prompts of a model, by the library's names, that it would not find by itself."""
    saved = _saved_prompts(folder)
    of_passages = next((saved[name] for name in PASSAGE_NAMES if saved.get(name)), "")
    wanted = {
        QUERY: given.query or saved.get(QUERY, ""),
        PASSAGE: given.passage or of_passages,
    }
    return {name: prompt for name, prompt in wanted.items() if prompt != saved.get(name, "")}


def query_prompt(folder: Path, given: GivenPrompts) -> str:
    """What a model reads before every query."""
    return given.query or _saved_prompts(folder).get(QUERY, "")


def _saved_prompts(folder: Path) -> Mapping[str, str]:
    """Of a file that cannot be read none: the library says what is wrong with it."""
    try:
        prompts = json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("prompts") or {}
        return {name: prompt for name, prompt in prompts.items() if isinstance(prompt, str)}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
