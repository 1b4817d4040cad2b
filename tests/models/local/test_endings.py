"""Rows end where they did when all that was written was decoded again for each token."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from argo_ml.models.base import Generation, Prompt
from argo_ml.models.chat import ChatFormat, cut_at_stop
from argo_ml.models.local.endings import Endings
from argo_ml.models.reasoning import is_unfinished

WORDS = ("<think>", "</think>", "<thinking>", "</thinking", "</thi", "nk", "[/THIN", "K]", "]>")
MARKS = ("[THINK]", "[/THINK]", "<|START_THINKING|>", "<|END_THINKING|>")
END = "<|im_end|>"
LIMIT, END_ID = 12, 256 + len(WORDS)
FIRST_MARK = END_ID + 1
INTERESTING = [
    # Blanks, letters, signs of marks, and the two bytes of a character that is no ASCII.
    *b" \nab<>/[]th",
    *(0xC3, 0xA9),
    *range(256, FIRST_MARK + len(MARKS)),
]
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"


def chat_format() -> ChatFormat:
    """Of a tokenizer whose tokens 0 to 255 are bytes."""
    names = [name for _, name in sorted(bytes_to_unicode().items())]
    vocabulary = {token: number for number, token in enumerate((*names, *WORDS))}
    model = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    model.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, name_or_path="bytes")
    tokenizer.add_special_tokens({"additional_special_tokens": [END, *MARKS]})
    tokenizer.chat_template = TEMPLATE
    return ChatFormat(tokenizer)


CHAT = chat_format()


class Whole:
    """Decodes all of a row for each of its tokens."""

    def __init__(self, request: Generation) -> None:
        self.request = request
        self.thoughts = 0

    def __call__(self, new_ids: Sequence[int]) -> bool:
        if new_ids[-1] == END_ID:
            return True
        text = CHAT.text(new_ids)
        if CHAT.may_think and is_unfinished(text):
            self.thoughts = len(new_ids)
            return self.thoughts >= LIMIT
        n_reply = len(new_ids) - self.thoughts
        return cut_at_stop(text, self.request.stop)[1] or n_reply >= self.request.max_new_tokens


def test_the_tokens_are_what_the_tests_take_them_for() -> None:
    assert CHAT.text([0xC3, 0xA9, 256, 256 + len(WORDS) - 1]) == "é<think>]>"
    assert CHAT.text([FIRST_MARK, *b"a", FIRST_MARK + 1]) == "[THINK]a[/THINK]"
    assert CHAT.may_think


@given(
    st.sampled_from(([], [256], [258], [FIRST_MARK], [*b" ", 256])),
    st.lists(st.sampled_from(INTERESTING), max_size=30),
    st.sampled_from(((), ("\n",), ("ab", ">"))),
)
def test_rows_end_where_whole_decoding_ends_them(
    beginning: list[int], rest: list[int], stop: tuple[str, ...]
) -> None:
    request = Generation(Prompt("", "?"), 6, stop=stop)
    ends, expected = Endings(CHAT, frozenset({END_ID}), [request], LIMIT), Whole(request)
    stream = [*beginning, *rest]
    for n_tokens in range(1, len(stream) + 1):
        is_over = expected(stream[:n_tokens])
        assert ends(0, stream[:n_tokens]) == is_over
        assert ends.thoughts == [expected.thoughts]
        if is_over:
            break


def test_reasoning_is_not_decoded_again_for_each_of_its_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chat, lengths = chat_format(), []
    text = chat.text

    def counted(ids: Sequence[int]) -> str:
        lengths.append(len(ids))
        return text(ids)

    monkeypatch.setattr(chat, "text", counted)
    ends = Endings(chat, frozenset({END_ID}), [Generation(Prompt("", "?"), 6)], LIMIT)
    stream = [256, *b"abababab"]
    for n_tokens in range(1, len(stream) + 1):
        assert not ends(0, stream[:n_tokens])
    assert max(lengths) == 1
