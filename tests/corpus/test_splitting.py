from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.corpus.fitting import cut_characters
from argo_ml.corpus.splitting import SplitSettings, split
from argo_ml.errors import ConfigError, DataError
from argo_ml.testing.embedders import WordEmbedder
from argo_ml.types import Document, Passage

TEN_WORDS = "one two three four five. six seven eight nine ten."


def test_a_document_that_fits_keeps_its_id(embedder: WordEmbedder) -> None:
    document = Document("a.txt", TEN_WORDS, "Title", "a.txt")
    assert split([document], SplitSettings(10, 2), embedder) == [
        Passage("a.txt", TEN_WORDS, "Title", "a.txt")
    ]


def test_a_longer_one_is_cut_between_sentences(embedder: WordEmbedder) -> None:
    document = Document("a.txt", TEN_WORDS, "Title", "a.txt")
    assert split([document], SplitSettings(6, 0), embedder) == [
        Passage("a.txt#1", "one two three four five.", "Title", "a.txt"),
        Passage("a.txt#2", "six seven eight nine ten.", "Title", "a.txt"),
    ]


class CharacterEmbedder(WordEmbedder):
    """A token is a character, as embedders read scripts without spaces."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (
            "北京在华北的北部。全市面积一万六千平方公里。二零二零年人口约两千万人\uff01是首都\uff1f是。",
            "。\uff01\uff1f",
        ),
        ("नई दिल्ली भारत की राजधानी है। यह एक बड़ा शहर है। यमुना नदी यहाँ बहती है।", "।"),
    ],
)
def test_a_passage_of_another_script_ends_with_a_sentence(text: str, ends: str) -> None:
    passages = split([Document("a", text)], SplitSettings(35, 0), CharacterEmbedder())
    assert len(passages) > 1
    assert all(passage.text[-1] in ends for passage in passages)


def test_a_long_sentence_without_spaces_ends_with_a_clause() -> None:
    text = "北京市位于华北平原的北部\uff0c全市面积一万六千平方公里\uff0c人口2189万人"
    passages = split([Document("a", text)], SplitSettings(28, 0), CharacterEmbedder())
    assert [passage.text[-3:] for passage in passages] == ["公里\uff0c", "9万人"]


def test_neighbours_share_the_overlap(embedder: WordEmbedder) -> None:
    document = Document("a", "one two three four five six seven eight")
    texts = [passage.text for passage in split([document], SplitSettings(4, 2), embedder)]
    assert texts == ["one two three four", "three four five six", "five six seven eight"]


def test_a_long_title_leaves_less_room(embedder: WordEmbedder) -> None:
    narrow = WordEmbedder(max_tokens=8)
    document = Document("a", "one two three four five six", title="a b c")
    texts = [passage.text for passage in split([document], SplitSettings(6, 0), narrow)]
    assert texts == ["one two three four five", "six"]


def test_a_title_that_fills_the_embedder_is_shortened_and_comes_whole_in_the_text() -> None:
    document = Document("a", "seven eight", title="a b c d e f")
    passages = split([document], SplitSettings(6, 0), WordEmbedder(max_tokens=8))
    assert {passage.title for passage in passages} == {"a b c d e"}
    words = [word for passage in passages for word in passage.text.split()]
    assert words == ["a", "b", "c", "d", "e", "f", "seven", "eight"]


def test_a_title_has_a_largest_number_of_characters(embedder: WordEmbedder) -> None:
    [passage] = split([Document("a", "text", "x" * 1200)], SplitSettings(200, 0), embedder)
    assert passage.title == "x" * 1000
    assert passage.text == "x" * 1200 + "\n\ntext"


def test_a_word_without_end_is_cut(embedder: WordEmbedder) -> None:
    document = Document("a", "".join(map(str, range(7000)))[:30_000])
    passages = split([document], SplitSettings(160, 20), embedder)
    assert [passage.id for passage in passages][:2] == ["a#1", "a#2"]
    assert [len(passage.text) for passage in passages] == [1280] * (len(document.text) // 1280) + [
        len(document.text) % 1280
    ]
    assert "".join(passage.text for passage in passages) == document.text


def test_a_word_is_cut_before_a_letter_and_not_before_its_vowel_sign() -> None:
    assert list(cut_characters("ก" * 9 + "\u0e34" + "ก" * 5, 9)) == ["ก" * 8, "ก\u0e34" + "ก" * 5]


def test_identical_passages_are_stored_once(embedder: WordEmbedder) -> None:
    documents = [Document("b", "x"), Document("a", "x"), Document("c", "x", "Other")]
    passages = split(documents, SplitSettings(10, 0), embedder)
    assert [passage.id for passage in passages] == ["b", "c"]


def test_passages_larger_than_the_embedder_reads_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"chunk_size=9: embedding_model=words .* at most 8"):
        split([Document("a", "x")], SplitSettings(9, 0), WordEmbedder(max_tokens=8))


def test_two_passages_of_one_id_are_an_error(embedder: WordEmbedder) -> None:
    documents = [Document("a", TEN_WORDS), Document("a#1", "x")]
    with pytest.raises(DataError, match="two passages have the id 'a#1'"):
        split(documents, SplitSettings(6, 0), embedder)


@given(
    st.lists(st.integers(0, 99).map(str), min_size=1, max_size=80),
    st.integers(2, 20),
    st.data(),
)
def test_no_passage_is_too_long_and_no_word_is_lost(
    words: list[str], size: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    embedder = WordEmbedder()
    separators = data.draw(
        st.lists(
            st.sampled_from([" ", "\n", "\n\n", ". "]),
            min_size=len(words),
            max_size=len(words),
        )
    )
    text = "".join(word + mark for word, mark in zip(words, separators, strict=True)).strip()
    passages = split([Document("d", text)], SplitSettings(size, overlap), embedder)
    assert max(embedder.count_tokens([passage.text for passage in passages])) <= size
    words_left = [word.strip(".") for passage in passages for word in passage.text.split()]
    assert set(words) == set(words_left)
    if overlap == 0:
        assert words == words_left
