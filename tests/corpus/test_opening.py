import hashlib
import logging
import shutil
import sqlite3
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings

from argo_ml.config import ExperimentSpec
from argo_ml.corpus.documents import DocumentSet, read_documents
from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.embedding import SentenceEmbedder
from argo_ml.corpus.opening import Corpus, corpus_digest, index_documents, open_corpus
from argo_ml.corpus.splitting import SplitSettings, split
from argo_ml.datasets import DATASETS, Dataset
from argo_ml.datasets.atlas import Atlas, atlas_documents
from argo_ml.errors import ConfigError, DataError
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.types import Document, Passage

pytestmark = pytest.mark.slow


SETTINGS = SplitSettings(160, 20)


@pytest.fixture(scope="module")
def atlas(warm_cache: Path) -> Corpus:
    return open_corpus(ExperimentSpec(cache_dir=warm_cache, device="cpu"))


def test_without_documents_the_corpus_is_the_atlas(atlas: Corpus) -> None:
    assert atlas.source == "argo_ml atlas"
    assert atlas.n_passages == len(atlas_documents())
    assert len(bytes.fromhex(atlas.digest)) == hashlib.sha256().digest_size
    assert atlas.rejected == ()


def test_passages_of_the_atlas_keep_the_ids_of_its_entities(atlas: Corpus) -> None:
    [evidence] = atlas.retriever.retrieve(["anything"], 1000)
    assert {hit.passage.id for hit in evidence} == {doc.id for doc in atlas_documents()}


def test_search_in_the_atlas_finds_what_exact_search_finds(
    atlas: Corpus, warm_cache: Path, sentence_embedder: SentenceEmbedder
) -> None:
    queries = [f"What is known about {document.title}?" for document in atlas_documents()[::3]]
    assert recall(atlas, warm_cache / "indexes", queries, sentence_embedder) >= 0.99


def test_search_in_real_documents_finds_what_exact_search_finds(
    oran_documents: Path, sentence_embedder: SentenceEmbedder, tmp_path: Path
) -> None:
    some = DocumentSet(read_documents(str(oran_documents / "ric-plt-a1")).documents[:40])
    store = EmbeddedStore(tmp_path)
    corpus = index_documents(some, "", SETTINGS, sentence_embedder, store, tmp_path)
    queries = [f"What about {document.title}?" for document in some.documents]
    assert recall(corpus, tmp_path, queries, sentence_embedder) >= 0.99


def recall(corpus: Corpus, indexes: Path, queries: list[str], embedder: SentenceEmbedder) -> float:
    """Share of the evidence at 3 that is as similar as that of exact search."""
    client = chromadb.PersistentClient(
        str(indexes / corpus.collection), Settings(anonymized_telemetry=False)
    )
    stored = client.get_collection(corpus.collection, embedding_function=None)
    vectors = np.asarray(stored.get(include=["embeddings"])["embeddings"])
    assert len(vectors) == corpus.n_passages
    cosines = embedder.embed_queries(queries) @ vectors.T
    third_best = np.sort(cosines, axis=1)[:, -3]
    retrieved = corpus.retriever.retrieve(queries, 3)
    n_right = sum(
        hit.similarity >= float(least) - 1e-5
        for evidence, least in zip(retrieved, third_best, strict=True)
        for hit in evidence
    )
    return n_right / (3 * len(queries))


def test_real_documents_leave_no_markup_behind(oran_documents: Path) -> None:
    document_set = read_documents(str(oran_documents / "nonrtric"))
    texts = [f"{document.title}\n{document.text}" for document in document_set.documents]
    for mark in (":ref:", ":doc:", "toctree", ".. image::", ":maxdepth:", "`_"):
        assert [text for text in texts if mark in text] == []
    assert all(document.title for document in document_set.documents)


def test_a_folder_is_opened_by_its_spec(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "peru.md").write_text("# Peru\n\nLima is the capital.\n", encoding="utf-8")
    (folder / "bad.pdf").write_bytes(b"\xff")
    (folder / "gold.html").write_text("Gold is a metal.", encoding="utf-8")
    spec = ExperimentSpec(documents=str(folder), cache_dir=tmp_path / "cache", device="cpu")
    reports: list[tuple[int, int]] = []
    corpus = open_corpus(spec, lambda n_done, n_total: reports.append((n_done, n_total)))
    [[hit, _]] = corpus.retriever.retrieve(["capital of Peru"], 3)
    assert (hit.passage.id, hit.passage.title) == ("peru.md", "Peru")
    assert (corpus.source, corpus.was_built) == (str(folder), True)
    assert [rejected.name for rejected in corpus.rejected] == ["bad.pdf"]
    assert reports == [(2, 2)]
    assert (tmp_path / "cache" / "indexes" / corpus.collection).is_dir()
    assert len(list((tmp_path / "cache" / "indexes" / "readings").iterdir())) == 1


def test_missing_oran_documents_are_an_error_that_says_how_to_fetch_them(tmp_path: Path) -> None:
    spec = ExperimentSpec(dataset="oran_bench", cache_dir=tmp_path)
    with pytest.raises(DataError, match="argo-ml fetch --what oran, or give documents=FOLDER"):
        open_corpus(spec)


def test_a_dataset_without_documents_is_an_error_that_asks_for_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATASETS, "quiz", Dataset(open=lambda spec: Atlas()))
    with pytest.raises(ConfigError, match="dataset=quiz brings no documents; give documents=FOLD"):
        open_corpus(ExperimentSpec(dataset="quiz", cache_dir=tmp_path))


def test_passages_beyond_the_embedded_model_are_an_error(warm_cache: Path) -> None:
    spec = ExperimentSpec(cache_dir=warm_cache, chunk_size=300, device="cpu")
    with pytest.raises(ConfigError, match=r"chunk_size=300: .* at most 254 tokens"):
        open_corpus(spec)


@pytest.mark.parametrize(
    ("documents", "settings", "dimension"),
    [
        ([Document("a", "other text", "Title")], SETTINGS, 64),
        ([Document("a", "text", "Other")], SETTINGS, 64),
        ([Document("b", "text", "Title")], SETTINGS, 64),
        ([Document("a", "text", "Title"), Document("b", "more")], SETTINGS, 64),
        ([Document("a", "text", "Title")], SplitSettings(161, 20), 64),
        ([Document("a", "text", "Title")], SplitSettings(160, 21), 64),
        ([Document("a", "text", "Title")], SETTINGS, 65),
    ],
)
def test_the_digest_changes_with_passages_settings_and_embedder(
    documents: list[Document], settings: SplitSettings, dimension: int
) -> None:
    def digest(given: list[Document], settings: SplitSettings, dimension: int) -> str:
        embedder = WordEmbedder(dimension=dimension)
        return corpus_digest(split(given, settings, embedder), settings, embedder)

    before = digest([Document("a", "text", "Title")], SETTINGS, 64)
    assert before == digest([Document("a", "text", "Title")], SETTINGS, 64)
    assert before != digest(documents, settings, dimension)


def test_the_digest_does_not_depend_on_files_that_were_rejected(tmp_path: Path) -> None:
    documents = (Document("a", "text"),)
    store, embedder = EmbeddedStore(tmp_path), WordEmbedder()
    first = index_documents(DocumentSet(documents), "x", SETTINGS, embedder, store, tmp_path)
    second = index_documents(
        DocumentSet(documents, ignored=("a.csv",)), "y", SETTINGS, embedder, store, tmp_path
    )
    assert first.digest == second.digest
    assert second.ignored.startswith("left out of the corpus: 1 with .csv (documents end in .docx ")
    assert not second.was_built


def test_a_known_corpus_is_neither_split_nor_tokenized_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = DocumentSet((Document("a", "one two"), Document("b", "three")))
    store, embedder = EmbeddedStore(tmp_path), WordEmbedder()
    first = index_documents(documents, "", SETTINGS, embedder, store, tmp_path)
    monkeypatch.setattr(embedder, "count_tokens", pytest.fail)
    second = index_documents(documents, "", SETTINGS, embedder, store, tmp_path)
    assert (second.digest, second.n_passages, second.was_built) == (first.digest, 2, False)


def test_a_known_corpus_whose_index_is_gone_is_built_as_before(tmp_path: Path) -> None:
    documents = DocumentSet((Document("a", "one two"), Document("b", "three")))
    store, embedder = EmbeddedStore(tmp_path), WordEmbedder()
    first = index_documents(documents, "", SETTINGS, embedder, store, tmp_path)
    shutil.rmtree(tmp_path / first.collection)
    second = index_documents(documents, "", SETTINGS, embedder, store, tmp_path)
    [evidence] = second.retriever.retrieve(["three"], 1)
    assert (second.digest, second.was_built) == (first.digest, True)
    assert evidence[0].passage == Passage("b", "three")


def test_a_corpus_that_is_refused_is_not_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(digest: str) -> None:
        raise ConfigError(f"another corpus: {digest}")

    documents = DocumentSet((Document("a", "one two"),))
    store, embedder = EmbeddedStore(tmp_path), WordEmbedder()
    monkeypatch.setattr(embedder, "embed_passages", pytest.fail)
    wanted = corpus_digest(split(documents.documents, SETTINGS, embedder), SETTINGS, embedder)
    with pytest.raises(ConfigError, match=f"another corpus: {wanted}"):
        index_documents(documents, "", SETTINGS, embedder, store, tmp_path, check_digest=refuse)


def test_an_index_that_took_the_place_of_an_open_one_is_the_one_that_is_searched(
    tmp_path: Path,
) -> None:
    store, embedder = EmbeddedStore(tmp_path), WordEmbedder()
    documents = DocumentSet((Document("a", "one two"), Document("b", "three")))
    corpus = index_documents(documents, "", SETTINGS, embedder, store, tmp_path)
    before = store.find(corpus.collection, 2)
    shutil.rmtree(tmp_path / corpus.collection)
    index_documents(documents, "", SETTINGS, embedder, store, tmp_path)
    after = store.find(corpus.collection, 2)
    with sqlite3.connect(tmp_path / corpus.collection / "chroma.sqlite3") as database:
        [(stored,)] = database.execute("SELECT id FROM collections")
    assert before is not None and after is not None
    assert str(after.id) == stored != str(before.id)


def test_text_that_the_embedder_does_not_know_is_warned_of(
    tmp_path: Path, sentence_embedder: SentenceEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    documents = DocumentSet((Document("a", "ลูเมนเป็นเมืองหลวง"), Document("b", "one 中国 two")))
    store = EmbeddedStore(tmp_path)
    index_documents(documents, "", SETTINGS, sentence_embedder, store, tmp_path)
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "all-minilm-l6-v2 does not know 20 % of the tokens" in record.getMessage()


def test_guessed_encodings_and_left_out_files_are_told(
    tmp_path: Path, warm_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b", "c", "d", "e", "f", "g"):
        (tmp_path / f"{name}.txt").write_bytes(b"caf\xe9")
    (tmp_path / "LICENSE").touch()
    spec = ExperimentSpec(documents=str(tmp_path), cache_dir=warm_cache, device="cpu")
    with caplog.at_level(logging.INFO):
        open_corpus(spec)
    messages = [record.getMessage() for record in caplog.records]
    assert "left out of the corpus: LICENSE (about rights)" in messages
    assert "a.txt is not UTF-8 and read as cp1252" in messages
    assert "2 more files are not UTF-8 and read by a guess; convert them to be sure" in messages
