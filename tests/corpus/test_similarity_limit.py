from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from argo_ml.corpus.documents import DocumentSet
from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.opening import Corpus, index_documents
from argo_ml.corpus.similarity_limit import equal_error
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.types import Document

pytestmark = pytest.mark.slow


def documents(n_documents: int, shared_words: int) -> DocumentSet:
    """Of two sentences each, whose words are their own but for the shared ones."""
    shared = " ".join(f"common{number}" for number in range(shared_words))
    return DocumentSet(
        tuple(
            Document(
                f"d{index}",
                f"Alpha{index} beta{index} gamma{index} {shared}. "
                f"Delta{index} epsilon{index} zeta{index} {shared}.",
            )
            for index in range(n_documents)
        )
    )


def opened(folder: Path, document_set: DocumentSet, embedder: WordEmbedder) -> Corpus:
    settings = SplitSettings(40, 0)
    return index_documents(document_set, "", settings, embedder, EmbeddedStore(folder), folder)


def test_the_limit_is_above_unrelated_and_below_related_pairs(tmp_path: Path) -> None:
    limit = opened(tmp_path, documents(40, 0), WordEmbedder()).measure_limit()

    assert limit is not None
    # Words are unlike each other; a sentence has half of its passage's words.
    assert 0.2 < limit.min_similarity < 0.7
    assert limit.unrelated_above < 0.05
    assert limit.related_below < 0.05


def test_passages_that_are_much_alike_raise_the_limit(tmp_path: Path) -> None:
    apart = opened(tmp_path / "apart", documents(40, 0), WordEmbedder()).measure_limit()
    alike = opened(tmp_path / "alike", documents(40, 5), WordEmbedder()).measure_limit()

    assert apart is not None
    assert alike is not None
    assert alike.min_similarity > apart.min_similarity + 0.2


def test_a_limit_is_measured_once_and_kept_beside_the_index(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    first = opened(tmp_path, documents(40, 0), embedder).measure_limit()
    n_calls = embedder.n_query_calls

    again = opened(tmp_path, documents(40, 0), embedder).measure_limit()

    assert first == again
    assert embedder.n_query_calls == n_calls


@pytest.mark.parametrize("damage", ["digit", "broken", "as earlier versions wrote it"])
def test_a_kept_limit_that_is_not_whole_is_measured_again(tmp_path: Path, damage: str) -> None:
    embedder = WordEmbedder()
    first = opened(tmp_path, documents(40, 0), embedder).measure_limit()
    n_calls = embedder.n_query_calls
    [kept] = tmp_path.glob("*.similarity.json")
    digest, content = kept.read_text().split("\n")
    changed = content.replace("0.", "0.7", 1)
    kept.write_text({"digit": f"{digest}\n{changed}", "broken": "{broken"}.get(damage, content))

    again = opened(tmp_path, documents(40, 0), embedder).measure_limit()

    assert first == again
    assert embedder.n_query_calls == n_calls + 1
    assert kept.read_text() == f"{digest}\n{content}"


def test_a_corpus_too_small_has_none(tmp_path: Path) -> None:
    assert opened(tmp_path / "few", documents(29, 0), WordEmbedder()).measure_limit() is None


def test_one_document_has_no_passages_of_others(tmp_path: Path) -> None:
    text = " ".join(f"Word{number} other{number} third{number}." for number in range(800))
    one = DocumentSet((Document("long", text),))
    assert opened(tmp_path, one, WordEmbedder()).measure_limit() is None


def sections(document_set: DocumentSet, source: str, name: str) -> DocumentSet:
    """The same texts from one source; ``name`` makes the id of each from its number."""
    return DocumentSet(
        tuple(
            Document(name.format(number), document.text, source=source)
            for number, document in enumerate(document_set.documents)
        )
    )


def test_sections_of_one_file_are_one_document(tmp_path: Path) -> None:
    manual = sections(documents(40, 0), "guide.md", "guide.md:{}")
    assert opened(tmp_path, manual, WordEmbedder()).measure_limit() is None


def test_lines_of_a_corpus_file_are_documents(tmp_path: Path) -> None:
    lines = sections(documents(40, 0), "corpus.jsonl", "{}")
    assert opened(tmp_path, lines, WordEmbedder()).measure_limit() is not None


def test_a_limit_that_is_wrong_about_half_of_both_kinds_separates_nothing() -> None:
    similarities = np.linspace(0.2, 0.8, 1001)
    limit = equal_error(similarities, similarities)
    assert limit.min_similarity == pytest.approx(0.5)
    assert not limit.separates


def test_the_limit_errs_about_both_kinds_alike() -> None:
    unrelated = np.linspace(0.0, 0.5, 1001)
    related = np.linspace(0.4, 0.9, 1001)

    limit = equal_error(unrelated, related)

    assert limit.min_similarity == 0.45
    assert limit.unrelated_above == pytest.approx(0.1, abs=0.002)
    assert limit.related_below == pytest.approx(0.1, abs=0.002)


def test_what_the_embedder_cannot_tell_apart_is_all_found() -> None:
    same = np.ones(1000)
    limit = equal_error(same, same)
    assert not limit.separates
    assert (limit.min_similarity, limit.unrelated_above, limit.related_below) == (-1.0, 1.0, 0.0)
