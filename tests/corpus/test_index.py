import errno
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from builders import index_building
from builders.index_building import DOCUMENTS
from filelock import FileLock

from argo_ml.corpus.documents import DocumentSet
from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.index import IndexContent, open_or_build, unwritable
from argo_ml.corpus.opening import Corpus, index_documents
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.errors import CorpusIndexError
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.types import Passage

pytestmark = pytest.mark.slow


def build(folder: Path, documents: DocumentSet = DOCUMENTS) -> Corpus:
    store, embedder = EmbeddedStore(folder), WordEmbedder()
    return index_documents(documents, "", SplitSettings(40, 0), embedder, store, folder)


def few_documents() -> DocumentSet:
    return DocumentSet(DOCUMENTS.documents[:20])


def test_an_index_is_built_once_and_reused(indexes: Path) -> None:
    first, second = build(indexes), build(indexes)
    assert (first.was_built, second.was_built) == (True, False)
    assert first.collection == second.collection == f"argo-{first.digest[:40]}"
    assert first.retriever.retrieve(["number 7"], 3) == second.retriever.retrieve(["number 7"], 3)


def test_other_documents_get_another_index(indexes: Path) -> None:
    few = build(indexes, few_documents())
    fewer = build(indexes, DocumentSet(DOCUMENTS.documents[:19]))
    assert fewer.was_built
    assert few.collection != fewer.collection
    assert (few.n_passages, fewer.n_passages) == (20, 19)


def test_progress_reaches_the_number_of_passages(indexes: Path) -> None:
    reports: list[tuple[int, int]] = []
    store, embedder = EmbeddedStore(indexes), WordEmbedder()
    settings = SplitSettings(40, 0)

    def observe(n_done: int, n_total: int) -> None:
        reports.append((n_done, n_total))

    index_documents(DOCUMENTS, "", settings, embedder, store, indexes, observe)
    assert reports == [(1024, 1200), (1200, 1200)]


@pytest.mark.slow
def test_a_killed_build_leaves_nothing_that_is_taken_for_whole(indexes: Path) -> None:
    builder = index_building.start(indexes, pause=600)
    assert builder.lines.recv() == "progress 1024"
    builder.process.kill()
    builder.process.join()
    assert list(indexes.glob(".building-*"))

    corpus = build(indexes)

    assert corpus.was_built
    assert list(indexes.glob(".building-*")) == []
    [[hit]] = corpus.retriever.retrieve(["document number 1199"], 1)
    assert hit.passage.id == "d1199"


@pytest.mark.slow
def test_of_two_builders_at_once_one_builds_and_both_find_everything(indexes: Path) -> None:
    builders = [index_building.start(indexes, pause=0.5) for _ in range(2)]
    last_lines = [builder.last_line() for builder in builders]
    assert sorted(last_lines) == ["built 120", "found 120"]


def test_a_failed_build_leaves_nothing(indexes: Path, store: EmbeddedStore) -> None:
    def fail(passages: object) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        raise RuntimeError("out of memory")

    content = IndexContent([Passage("a", "text")], fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        open_or_build(store, "argo-x", content, indexes, lambda n_done, n_total: None)
    assert list(indexes.iterdir()) == []


def test_what_a_living_builder_of_another_index_writes_is_left_alone(indexes: Path) -> None:
    for owner in ("argo-living", "argo-dead"):
        (indexes / f".building-{owner}-abc").mkdir(parents=True)
    with FileLock(indexes / ".argo-living.lock"):
        build(indexes, few_documents())
    assert [path.name for path in indexes.glob(".building-*")] == [".building-argo-living-abc"]


def overwrite(path: Path) -> None:
    (path / "chroma.sqlite3").write_bytes(b"not a database" * 1000)


def cut_off(path: Path) -> None:
    database = path / "chroma.sqlite3"
    os.truncate(database, database.stat().st_size // 2)


def empty(path: Path) -> None:
    (path / "chroma.sqlite3").write_bytes(b"")


def remove_database(path: Path) -> None:
    (path / "chroma.sqlite3").unlink()


def remove_vectors(path: Path) -> None:
    for folder in path.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)


def remove_passages(path: Path) -> None:
    with sqlite3.connect(path / "chroma.sqlite3") as database:
        database.execute("DELETE FROM embeddings WHERE embedding_id = 'd3'")


def flip_vectors(path: Path) -> None:
    [vectors] = path.glob("*/data_level0.bin")
    content = bytearray(vectors.read_bytes())
    for number in range(20):
        content[1000 + 97 * number] ^= 64
    vectors.write_bytes(content)


def cut_header(path: Path) -> None:
    [header] = path.glob("*/header.bin")
    os.truncate(header, 10)


def damage_digests(path: Path) -> None:
    (path / "digests.json").write_text("{")


@pytest.mark.parametrize(
    "damage",
    [
        overwrite,
        cut_off,
        empty,
        remove_database,
        remove_vectors,
        remove_passages,
        flip_vectors,
        cut_header,
        damage_digests,
    ],
)
def test_a_damaged_index_is_built_anew(
    tmp_path: Path,
    large_index: Path,
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    indexes = tmp_path / "copy"
    shutil.copytree(large_index, indexes)
    expected = build(large_index).retriever.retrieve(["document number 7"], 3)
    [path] = indexes.glob("argo-*")
    damage(path)
    with caplog.at_level(logging.WARNING):
        corpus = build(indexes)
    assert corpus.was_built
    assert corpus.retriever.retrieve(["document number 7"], 3) == expected
    [warning] = caplog.messages
    assert warning.startswith(f"{path}: this index was damaged (")
    assert not build(indexes).was_built


def test_an_index_without_digests_is_used_and_gets_them(tmp_path: Path, large_index: Path) -> None:
    indexes = tmp_path / "copy"
    shutil.copytree(large_index, indexes)
    [path] = indexes.glob("argo-*")
    (path / "digests.json").unlink()
    assert not build(indexes).was_built
    cut_header(path)
    assert build(indexes).was_built


def test_a_locked_index_is_an_error(
    tmp_path: Path, large_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(large_index, tmp_path / "copy")
    [path] = (tmp_path / "copy").glob("argo-*")
    monkeypatch.setattr("argo_ml.corpus.embedded_store.LOCK_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(path / "chroma.sqlite3")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CorpusIndexError, match="keeps this index locked; close it"):
            build(tmp_path / "copy")


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "free disk space"), (errno.EROFS, "make it writable")]
)
def test_what_keeps_an_index_from_being_written_has_its_own_advice(
    number: int, advice: str
) -> None:
    shown = str(unwritable(Path("indexes"), OSError(number, "reason")))
    assert shown == (f"indexes: cannot be written (reason); {advice}, or choose another cache_dir")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_index_that_cannot_be_written_is_an_error(tmp_path: Path, large_index: Path) -> None:
    shutil.copytree(large_index, tmp_path / "copy")
    [path] = (tmp_path / "copy").glob("argo-*")
    (path / "chroma.sqlite3").chmod(0o444)
    with pytest.raises(CorpusIndexError, match="make this folder writable"):
        build(tmp_path / "copy")


def test_an_index_can_be_moved(tmp_path: Path, large_index: Path) -> None:
    shutil.copytree(large_index, tmp_path / "copy")
    assert not build(tmp_path / "copy").was_built


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(CorpusIndexError, match=r"cannot be written .* choose another cache_dir"):
        build(tmp_path / "file" / "indexes", few_documents())


@pytest.fixture(scope="module")
def large_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large") / "indexes"
    build(folder)
    return folder


def test_search_finds_what_exact_search_finds(store: EmbeddedStore, indexes: Path) -> None:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(60, 48))
    vectors = centres[rng.integers(60, size=3000)] + 0.5 * rng.normal(size=(3000, 48))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    passages = [Passage(str(row), "text") for row in range(3000)]
    content = IndexContent(passages, lambda block: vectors[[int(passage.id) for passage in block]])
    collection, _ = open_or_build(store, "argo-x", content, indexes, lambda *_: None)
    queries = vectors[:200] + 0.05 * rng.normal(size=(200, 48)).astype(np.float32)
    nearest = collection.query(query_embeddings=queries, n_results=3, include=[])["ids"]
    cosines = queries @ vectors.T
    exact = np.argsort(-cosines, axis=1)[:, :3]
    shared = [len(set(a) & {str(row) for row in b}) for a, b in zip(nearest, exact, strict=True)]
    assert sum(shared) / 600 >= 0.99
