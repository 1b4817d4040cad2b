"""Retrieval by words, by words and vectors, by a cross-encoder, and by functions of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from argo_ml.config import CorpusSpec, SweepSpec, build
from argo_ml.corpus import own_retriever
from argo_ml.corpus.base import Retriever
from argo_ml.corpus.bm25 import words_of
from argo_ml.corpus.documents import DocumentSet
from argo_ml.corpus.embedded_store import EmbeddedStore
from argo_ml.corpus.fusion import reciprocal_rank_fusion
from argo_ml.corpus.opening import index_documents, open_corpus
from argo_ml.corpus.own_retriever import OWN_RETRIEVERS, OwnRetriever
from argo_ml.corpus.ranking import check_ranking, own_corpus, with_ranking
from argo_ml.corpus.reranking import RerankingRetriever
from argo_ml.corpus.splitting import SplitSettings
from argo_ml.errors import ArgoError, ConfigError, ModelError
from argo_ml.sweep.cells import cell_id
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.testing.retrievers import DOCUMENTS, QUERIES, RankingSuite, RetrieverSuite
from argo_ml.types import Document


def needs_bm25s() -> None:
    pytest.importorskip("bm25s", reason="bm25s is not installed")


def opened(folder: Path, retriever: str, documents: Sequence[Document] = DOCUMENTS) -> Any:
    store, settings = EmbeddedStore(folder), SplitSettings(40, 0)
    corpus = index_documents(
        DocumentSet(tuple(documents)), "", settings, WordEmbedder(), store, folder
    )
    return with_ranking(corpus, build(CorpusSpec, {"retriever": retriever}))


@pytest.fixture(scope="module")
def by_words(tmp_path_factory: pytest.TempPathFactory) -> Any:
    needs_bm25s()
    return opened(tmp_path_factory.mktemp("indexes"), "bm25").retriever


@pytest.fixture(scope="module")
def by_both(tmp_path_factory: pytest.TempPathFactory) -> Any:
    needs_bm25s()
    return opened(tmp_path_factory.mktemp("indexes"), "hybrid").retriever


class TestByWords(RankingSuite):
    @pytest.fixture
    def retriever(self, by_words: Retriever) -> Retriever:
        return by_words


class TestByWordsAndVectors(RankingSuite):
    @pytest.fixture
    def retriever(self, by_both: Retriever) -> Retriever:
        return by_both


def all_passages(queries: list[str]) -> list[list[dict[str, str]]]:
    """Every document for every query, the one with the most of its words first."""
    fields = [
        {"id": own.id, "text": own.text, "title": own.title, "source": own.source}
        for own in DOCUMENTS
    ]

    def missing(query: str) -> Callable[[dict[str, str]], tuple[int, str]]:
        words = set(query.lower().replace("?", "").split())
        return lambda own: (-len(words & set(own["text"].lower()[:-1].split())), own["id"])

    return [sorted(fields, key=missing(query)) for query in queries]


class TestOwn(RankingSuite):
    @pytest.fixture
    def retriever(self) -> Retriever:
        return OwnRetriever("mine", all_passages, WordEmbedder())


class SharedWords:
    """Scores a pair by the words that both have, as a cross-encoder would by reading them."""

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [
            float(len(set(query.lower().strip("?").split()) & set(text.lower().strip(".").split())))
            for query, text in pairs
        ]


class TestReranked(RankingSuite):
    @pytest.fixture
    def retriever(self) -> Retriever:
        first = OwnRetriever("mine", all_passages, WordEmbedder())
        return RerankingRetriever(first, SharedWords())  # type: ignore[arg-type]


def test_the_suite_of_similarities_is_that_of_rankings_and_more() -> None:
    assert issubclass(RetrieverSuite, RankingSuite)


def test_a_rare_word_counts_more_than_common_ones(tmp_path: Path) -> None:
    needs_bm25s()
    documents = [Document(f"d{n}", f"The error of the unit number {n} is known.") for n in range(8)]
    documents.append(Document("rare", "ORU4711 is a part."))
    [[first, *_]] = opened(tmp_path, "bm25", documents).retriever.retrieve(
        ["the error of the ORU4711"], 3
    )
    assert first.passage.id == "rare"


def test_scripts_without_spaces_are_searched_by_character(tmp_path: Path) -> None:
    needs_bm25s()
    documents = [Document("a", "北京是中国的首都。"), Document("b", "黄金是一种金属。")]
    [[first, _]] = opened(tmp_path, "bm25", documents).retriever.retrieve(["哪种金属"], 2)
    assert first.passage.id == "b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop 10\u00b2 x_y!", ["don", "t", "stop", "10\u00b2", "x", "y"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("Caf\u00e9 Orl\u00e9ans", ["caf\u00e9", "orl\u00e9ans"]),
        ("Cafe\u0301 Orle\u0301ans", ["caf\u00e9", "orl\u00e9ans"]),
        ("\u0130stanbul ISTANBUL", ["istanbul", "istanbul"]),
        ("of\ufb01ce \uff12\uff10\u5e74", ["office", "20", "\u5e74"]),
        ("ខ្មែរ", list("ខ្មែរ")),
        ("\u260e\ufe0f call", ["call"]),
    ],
)
def test_words_keep_their_marks_in_one_spelling(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_ranks_are_fused_by_their_reciprocals() -> None:
    # 1/61 + 1/62 for a; 1/62 + 1/61 for b, which is the same; 1/63 for c.
    assert reciprocal_rank_fusion([["b", "a"], ["a", "b", "c"]]) == ["a", "b", "c"]
    assert reciprocal_rank_fusion([["x", "y"], ["y"]]) == ["y", "x"]


def test_the_corpus_says_how_it_is_searched_and_dense_is_as_before(tmp_path: Path) -> None:
    needs_bm25s()
    digests = {name: opened(tmp_path, name).digest for name in ("dense", "bm25", "hybrid")}
    assert len(set(digests.values())) == 3
    corpus = opened(tmp_path, "dense")
    assert corpus.collection == f"argo-{digests['dense'][:40]}"


def test_a_retriever_counts_in_a_cell_where_it_is_not_dense() -> None:
    plain, named, other = (
        build(SweepSpec, given) for given in ({}, {"retriever": "dense"}, {"retriever": "hybrid"})
    )
    ids = [cell_id(spec.cells()[0], {}) for spec in (plain, named, other)]
    assert ids[0] == ids[1] != ids[2]
    assert "retriever" not in plain.model_dump()
    assert other.model_dump()["retriever"] == "hybrid"


@pytest.fixture
def forgotten() -> Iterator[None]:
    before = dict(OWN_RETRIEVERS._added)
    yield
    OWN_RETRIEVERS._added = before


@pytest.mark.usefixtures("forgotten")
def test_one_of_ones_own_needs_no_documents_and_counts_by_name_and_version() -> None:
    def search(queries: list[str]) -> list[list[str]]:
        return [["Lima is the capital of Peru."] for _ in queries]

    OWN_RETRIEVERS.add("search", search)
    spec = build(CorpusSpec, {"retriever": "search", "dataset": "jsonl"})
    check_ranking(spec)
    corpus = own_corpus(spec, WordEmbedder())
    [[hit]] = corpus.retriever.retrieve(["Lima is the capital of Peru."], 3)
    assert hit.similarity == pytest.approx(1.0)
    search.version = "2"  # type: ignore[attr-defined]
    assert own_corpus(spec, WordEmbedder()).digest != corpus.digest


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (lambda queries: None, "retriever=mine: gave None for 2 queries"),
        (lambda queries: [["a"]], "gave 1 lists of passages for 2 queries; give one per query"),
        (lambda queries: [[7], []], "gave a passage 7, which has no text"),
        (lambda queries: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (
            lambda queries: [[{"text": "a", "similarity": 12.5}], []],
            "gave similarity=12.5; give a cosine",
        ),
        (
            lambda queries: [[{"text": "a", "similarity": "0.8"}], []],
            "retriever=mine: gave similarity='0.8'; give a cosine",
        ),
        (lambda queries: [[{"text": "a", "similarity": [0.8]}], []], "gave similarity=.0.8.; give"),
    ],
)
def test_a_function_that_gives_no_passages_is_named(
    search: Callable[..., Any], message: str
) -> None:
    retriever = OwnRetriever("mine", search, WordEmbedder())
    with pytest.raises(ModelError, match=message):
        retriever.retrieve(["one", "two"], 1)


def test_of_queries_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_retriever, "REMEMBERED_QUERIES", 2)
    asked: list[str] = []

    def search(queries: list[str]) -> list[list[str]]:
        asked.extend(queries)
        return [[query] for query in queries]

    retriever = OwnRetriever("mine", search, WordEmbedder())
    retriever.retrieve(["one", "two", "three"], 1)
    [[hit], _] = retriever.retrieve(["two", "one"], 1)
    assert asked == ["one", "two", "three", "one"]
    assert hit.passage.text == "two"


def test_documents_of_other_libraries_are_read() -> None:
    document = SimpleNamespace(page_content="A text.", metadata={"source": "a.md", "title": "A"})
    retriever = OwnRetriever("mine", lambda queries: [[document]], WordEmbedder())
    [[hit]] = retriever.retrieve(["A text"], 1)
    assert (hit.passage.text, hit.passage.title, hit.passage.source) == ("A text.", "A", "a.md")


@pytest.mark.parametrize(
    "given",
    [
        {"text": "A text.", "title": None, "source": None, "similarity": None},
        SimpleNamespace(page_content="A text.", metadata={"source": None, "title": None}),
        SimpleNamespace(content="A text.", meta={}),
    ],
)
def test_what_a_function_says_nothing_of_is_empty(given: object) -> None:
    retriever = OwnRetriever("mine", lambda queries: [[given]], WordEmbedder())
    [[hit]] = retriever.retrieve(["A text"], 1)
    assert (hit.passage.title, hit.passage.source) == ("", "")
    assert hit.similarity > 0


@pytest.mark.parametrize(
    "given",
    [
        SimpleNamespace(page_content="A text.", id="a-1", metadata={"id": "of metadata"}),
        SimpleNamespace(text="A text.", node_id="a-1", metadata={}),
        SimpleNamespace(page_content="A text.", id=None, metadata={"id": "a-1"}),
        {"text": "A text.", "id": "a-1", "similarity": np.float32(0.5)},
    ],
)
def test_a_passage_keeps_the_id_that_it_came_with(given: object) -> None:
    retriever = OwnRetriever("mine", lambda queries: [[given]], WordEmbedder())
    [[hit]] = retriever.retrieve(["A text"], 1)
    assert hit.passage.id == "a-1"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"retriever": "bm52"}, "retriever=bm52 is unknown; did you mean 'bm25'"),
        ({"reranker": "nowhere"}, "reranker=nowhere: no cross-encoder there; give the folder"),
    ],
)
def test_what_is_not_there_is_refused(given: dict[str, str], message: str, tmp_path: Path) -> None:
    spec = build(CorpusSpec, {**given, "cache_dir": str(tmp_path)})
    with pytest.raises(ArgoError, match=message):
        check_ranking(spec)


def test_without_its_package_words_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bm25s", None)
    with pytest.raises(ConfigError, match="need the package bm25s: pip install bm25s"):
        check_ranking(build(CorpusSpec, {"retriever": "hybrid"}))


@pytest.mark.slow
def test_the_digest_that_is_checked_is_that_of_the_corpus_as_it_is_ranked(
    tmp_path: Path, warm_cache: Path
) -> None:
    needs_bm25s()
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "peru.md").write_text("Lima is the capital of Peru.")
    encoder = write_cross_encoder(tmp_path / "encoder")
    documents = str(tmp_path / "documents")
    given = {"retriever": "hybrid", "reranker": str(encoder), "documents": documents}
    spec = build(CorpusSpec, {**given, "cache_dir": str(warm_cache), "device": "cpu"})
    checked: list[str] = []

    corpus = open_corpus(spec, check_digest=checked.append)

    assert checked == [corpus.digest]
    assert isinstance(corpus.retriever, RerankingRetriever)


@pytest.mark.slow
def test_a_cross_encoder_on_disk_orders_anew(tmp_path: Path) -> None:
    from argo_ml.corpus.reranking import CrossEncoder

    folder = write_cross_encoder(tmp_path / "encoder")
    encoder = CrossEncoder(str(folder), tmp_path, "cpu", ())
    pairs = [(QUERIES[0], document.text) for document in DOCUMENTS]
    scores = encoder.scores(pairs)
    assert len(set(scores)) > 1
    first = OwnRetriever(
        "mine", lambda q: [[own.text for own in DOCUMENTS] for _ in q], WordEmbedder()
    )
    [evidence] = RerankingRetriever(first, encoder).retrieve([QUERIES[0]], 3)
    best = [DOCUMENTS[index].text for index in np.argsort([-score for score in scores])[:3]]
    assert [hit.passage.text for hit in evidence] == best


def write_cross_encoder(folder: Path) -> Path:
    """A cross-encoder of drawn weights: its order means nothing, and is the same every time."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    words = sorted({word for own in DOCUMENTS for word in own.text.lower()[:-1].split()})
    folder.mkdir()
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(
        vocab_size=len(words) + 5,
        intermediate_size=32,
        num_labels=1,
        initializer_range=1.0,
        **sizes,
    )
    model = BertForSequenceClassification(config)
    model.save_pretrained(folder)
    BertTokenizerFast(vocab_file=str(vocabulary)).save_pretrained(folder)
    return folder
