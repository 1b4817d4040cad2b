from __future__ import annotations

import pytest

from argo_ml.cli.rendering.console import console
from argo_ml.escaping import markdown, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b2J", r"\x9b2J"),
        ("a\rb\x08\x07", r"a\x0db\x08\x07"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("two\nlines\tand a caf\u00e9", "two\nlines\tand a caf\u00e9"),
    ],
)
def test_control_characters_are_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("[click](javascript:alert)", r"\[click\](javascript:alert)"),
        ("**bold** _it_ `code`", r"\*\*bold\*\* \_it\_ \`code\`"),
        ("always_retrieve of two_hop.jsonl", "always_retrieve of two_hop.jsonl"),
        ("see http://host", r"see http:\//host"),
        ("one\n# two", "one # two"),
        ("a | b &lt;", r"a \| b &amp;lt;"),
    ],
)
def test_text_in_a_description_is_no_markup(text: str, shown: str) -> None:
    assert markdown(text) == shown


def test_nothing_printed_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("a passage \x1b]0;title and \x1b[2J")
    assert capsys.readouterr().out == "a passage \\x1b]0;title and \\x1b[2J\n"
