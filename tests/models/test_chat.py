from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from argo_ml.errors import ModelError
from argo_ml.models.base import Prompt
from argo_ml.models.chat import ChatFormat, cut_at_stop
from argo_ml.models.reasoning import CLOSING_ENDS, is_unfinished

PROMPT = Prompt("Be brief.", "Why?", prefix="Answer:")
WITH_SYSTEM = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"
REFUSING = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"
)
IGNORING = (
    "{% for m in messages %}{% if m['role'] == 'user' %}<user>{{ m['content'] }}{% endif %}"
    "{% endfor %}<assistant>"
)

SWITCHED = WITH_SYSTEM + "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
OPENING = WITH_SYSTEM + "<think>\n"


def chat_format(template: str | dict[str, str] | None, *special: str) -> ChatFormat:
    words = Tokenizer(models.WordLevel({"?": 0, "a": 1, "b": 2, "<s>": 3}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", unk_token="?", name_or_path="tiny"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    tokenizer.chat_template = template
    return ChatFormat(tokenizer)


def test_template_with_a_system_role() -> None:
    chat = chat_format(WITH_SYSTEM)
    assert chat.render(PROMPT) == "<system>Be brief.<user>Why?<assistant>Answer:"
    assert chat.name == "chat"


@pytest.mark.parametrize("template", [REFUSING, IGNORING])
def test_system_text_opens_the_users_turn_where_there_is_no_such_role(template: str) -> None:
    chat = chat_format(template)
    assert chat.render(PROMPT) == "<user>Be brief.\n\nWhy?<assistant>Answer:"
    assert chat.name == "chat-without-system"


def test_without_a_template_the_parts_follow_one_another() -> None:
    chat = chat_format(None)
    assert chat.render(PROMPT) == "Be brief.\n\nWhy?\n\nAnswer:"
    assert chat.render(Prompt("", "Why?")) == "Why?"
    assert chat.name == "plain"


def test_no_system_text_makes_no_system_turn() -> None:
    assert chat_format(WITH_SYSTEM).render(Prompt("", "Why?")) == "<user>Why?<assistant>"


def test_a_template_that_writes_the_date_makes_the_same_prompt_on_any_day() -> None:
    dated = "Today is {{ strftime_now('%d %b %Y') }}." + WITH_SYSTEM
    prompt = "Today is 01 Jan 2025.<system>Be brief.<user>Why?<assistant>Answer:"
    assert chat_format(dated).render(PROMPT) == prompt


def test_encoding_no_texts_gives_none() -> None:
    assert chat_format(None).encode([]) == []
    assert chat_format(None).encode(["a b", "b"]) == [[1, 2], [2]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Paris\nLima", ("Paris", True)),
        ("\n\n Paris", ("Paris", False)),
        (" Paris. Next###", ("Paris. Next", True)),
        ("one ###\ntwo", ("one ", True)),
        ("", ("", False)),
        ("\n", ("", False)),
        ("<think>\na\nb\n</think>\n\nParis\nLima", ("Paris", True)),
        ("a\n</think>Paris", ("Paris", False)),
        ("<think>\na\nb", ("<think>\na\nb", False)),
    ],
)
def test_text_ends_at_the_first_stop_after_leading_space(
    text: str, expected: tuple[str, bool]
) -> None:
    assert cut_at_stop(text, ("\n", "###")) == expected


def test_without_stops_the_text_is_whole() -> None:
    assert cut_at_stop("a\nb", ()) == ("a\nb", False)


@given(st.text(alphabet="ab\n #"), st.lists(st.text("ab\n#", min_size=1), max_size=3))
def test_what_is_left_holds_no_stop(text: str, stop: list[str]) -> None:
    cut, stopped = cut_at_stop(text, tuple(stop))
    assert not any(string in cut for string in stop)
    assert text.lstrip().startswith(cut)
    assert stopped == (cut != text.lstrip())


@pytest.mark.parametrize("template", [SWITCHED, OPENING])
def test_reasoning_is_switched_off_or_closed(template: str) -> None:
    chat = chat_format(template)

    assert chat.render(PROMPT).endswith("<assistant><think>\n\n</think>\n\nAnswer:")
    assert chat.name == "chat-without-thinking"
    assert not chat.may_think


def test_template_that_knows_no_reasoning_keeps_its_name() -> None:
    assert chat_format(WITH_SYSTEM).name == "chat"


HARMONY = """\
{{- "<|start|>system<|message|>Reasoning: medium\\n\\n# Valid channels: analysis, commentary, " }}
{{- "final. Channel must be included for every message.<|end|>" }}
{%- if messages[0].role in ("developer", "system") %}
    {{- "<|start|>developer<|message|># Instructions\\n\\n" + messages[0].content }}
    {{- "\\n\\n<|end|>" }}
    {%- set messages = messages[1:] %}
{%- endif %}
{%- for message in messages -%}
    {%- if message.role == "assistant" -%}
        {%- if loop.last and not add_generation_prompt %}
            {%- if "thinking" in message %}
                {{- "<|start|>assistant<|channel|>analysis<|message|>" + message.thinking }}
                {{- "<|end|>" }}
            {%- endif %}
            {{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|return|>" }}
        {%- else %}
            {{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|end|>" }}
        {%- endif %}
    {%- elif message.role == "user" -%}
        {{- "<|start|>user<|message|>" + message.content + "<|end|>" }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|start|>assistant
{%- endif -%}
"""
"""What gpt-oss's own template makes of chats without tools, but for dates and its own name."""
HARMONY_TOKENS = (
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
)


def test_a_turn_with_channels_begins_in_the_one_for_answers() -> None:
    chat = chat_format(HARMONY, *HARMONY_TOKENS)

    assert chat.render(PROMPT).endswith(
        "<|start|>developer<|message|># Instructions\n\nBe brief.\n\n<|end|>"
        "<|start|>user<|message|>Why?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Answer:"
    )
    assert (chat.name, chat.may_think) == ("chat-without-thinking", False)


def test_channels_are_opened_by_special_tokens() -> None:
    chat = chat_format(HARMONY, *HARMONY_TOKENS)

    [ids] = chat.encode([chat.render(Prompt("", "a"))])

    numbers = {token: 4 + at for at, token in enumerate(HARMONY_TOKENS)}
    words = [numbers["<|start|>"], 0, numbers["<|channel|>"], 0, numbers["<|message|>"]]
    assert ids[-5:] == words


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("[THINK]", "[/THINK]"),
        ("<seed:think>", "</seed:think>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
    ],
)
def test_reasoning_between_special_tokens_is_no_reply(opening: str, closing: str) -> None:
    chat = chat_format(WITH_SYSTEM, opening, closing)
    opened, done = 4, 5

    assert cut_at_stop(chat.text([opened, 1, done, 2]), ()) == ("b", False)
    assert is_unfinished(chat.text([opened, 1, 2]))
    assert (chat.name, chat.may_think) == ("chat-with-marked-thinking", True)


def test_tokens_that_a_template_closes_by_itself_change_nothing() -> None:
    chat = chat_format(WITH_SYSTEM + "<|channel>thought\n<channel|>", "<|channel>", "<channel|>")
    assert (chat.name, chat.may_think) == ("chat", False)


SHOWING = (
    "{% for m in messages %}<{{ m['role'] }}>{% if m['reasoning_content'] %}"
    "<|musing|>{{ m['reasoning_content'] }}<|mused|>{% endif %}{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def test_reasoning_between_unknown_marks_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"^tiny: .*marks reasoning by '<\|musing\|>'") as caught:
        chat_format(SHOWING)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mark", ["<think>\n", "[THINK]", "<seed:think>"])
def test_template_that_shows_known_reasoning_is_taken(mark: str) -> None:
    assert chat_format(SHOWING.replace("<|musing|>", mark)).name == "chat"


def test_of_several_templates_the_default_is_taken() -> None:
    dated = "Today is {{ strftime_now('%d %b %Y') }}." + WITH_SYSTEM
    chat = chat_format({"default": dated, "tool_use": REFUSING})
    assert chat.render(PROMPT).startswith("Today is 01 Jan 2025.<system>Be brief.")
    assert chat.name == "chat"


def test_several_templates_without_a_default_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"^tiny: .* none that is the default: rag, tool_use;"):
        chat_format({"tool_use": WITH_SYSTEM, "rag": WITH_SYSTEM})


@pytest.mark.parametrize("closing", ["</think>", "</Thinking>", "[/THINK]", "<channel|>"])
def test_what_may_close_reasoning_ends_like_a_closing_mark(closing: str) -> None:
    assert closing[-1] in CLOSING_ENDS
