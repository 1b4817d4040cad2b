"""Questions that an embedding model reads in part, found without loading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.config import IndexSpec, build
from argo_ml.corpus.embedder_files import find_embedder
from argo_ml.corpus.query_length import long_questions
from argo_ml.types import Question

FOLDER = find_embedder("all-minilm-l6-v2")
AT_THE_ENDS = 2


def words(n: int) -> Question:
    return Question(id=str(n), text=" ".join(["word"] * n))


def said(*questions: Question, folder: Path = FOLDER, **values: str) -> str:
    return long_questions(build(IndexSpec, values), folder, questions)


def test_questions_longer_than_what_is_read_are_counted() -> None:
    fits, longer = words(256 - AT_THE_ENDS), words(257 - AT_THE_ENDS)
    assert said(words(3), fits) == ""
    assert said(words(3), fits, longer) == (
        "1 of 3 questions are longer than the 256 tokens that all-minilm-l6-v2 reads, so that "
        "search by vectors sees their beginning alone"
    )
    assert said(fits, query_prompt="find: ").startswith("1 of 1 questions")


@pytest.mark.parametrize(("retriever", "is_said"), [("hybrid", True), ("bm25", False)])
def test_it_is_said_where_vectors_are_searched(retriever: str, is_said: bool) -> None:
    assert bool(said(words(900), retriever=retriever)) is is_said


def test_nothing_is_said_of_a_model_that_does_not_say_how_much_it_reads(tmp_path: Path) -> None:
    assert said(words(900), folder=tmp_path) == ""
    (tmp_path / "sentence_bert_config.json").write_text("[1]")
    assert said(words(900), folder=tmp_path) == ""


def test_the_limit_may_lie_with_the_module_that_reads_texts(tmp_path: Path) -> None:
    first = tmp_path / "0_Transformer"
    first.mkdir()
    (tmp_path / "modules.json").write_text('[{"idx": 0, "path": "0_Transformer"}]')
    (first / "tokenizer_config.json").write_text('{"model_max_length": 64}')
    (first / "tokenizer.json").symlink_to(FOLDER / "tokenizer.json")
    assert said(words(100), folder=tmp_path).startswith("1 of 1 questions are longer than the 64 ")
