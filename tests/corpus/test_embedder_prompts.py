"""Which prompts of a model have to be said to the library."""

import json
from pathlib import Path

import pytest

from argo_ml.corpus.embedder_prompts import CONFIG, GivenPrompts, added_prompts


@pytest.mark.parametrize(
    ("saved", "given", "added"),
    [
        ({}, GivenPrompts(), {}),
        ({"query": "q: ", "document": "d: "}, GivenPrompts(), {}),
        ({"query": "q: ", "passage": "p: "}, GivenPrompts(), {"document": "p: "}),
        ({"document": "", "corpus": "c: "}, GivenPrompts(), {"document": "c: "}),
        ({"document": None, "passage": 7}, GivenPrompts(), {}),
        ({}, GivenPrompts("q: ", "p: "), {"query": "q: ", "document": "p: "}),
        ({"query": "q: ", "passage": "p: "}, GivenPrompts(passage="d: "), {"document": "d: "}),
        ({"query": "q: ", "document": "d: "}, GivenPrompts("q: ", "d: "), {}),
    ],
)
def test_prompts_that_the_library_does_not_find_are_added(
    tmp_path: Path, saved: dict[str, object], given: GivenPrompts, added: dict[str, str]
) -> None:
    (tmp_path / CONFIG).write_text(json.dumps({"prompts": saved}), encoding="utf-8")
    assert added_prompts(tmp_path, given) == added


@pytest.mark.parametrize("content", ["", "[]", "{", '{"prompts": null}', '{"prompts": []}'])
def test_a_model_that_says_nothing_of_prompts_has_none(tmp_path: Path, content: str) -> None:
    (tmp_path / CONFIG).write_text(content, encoding="utf-8")
    assert added_prompts(tmp_path, GivenPrompts()) == {}
    assert added_prompts(tmp_path / "nowhere", GivenPrompts("q: ")) == {"query": "q: "}
