import pytest

from argo_ml.corpus.readers.base import Section
from argo_ml.corpus.readers.markdown import markdown_sections


def text_of(source: str) -> str:
    return "\n\n".join(section.text for section in markdown_sections(source))


def test_sections_carry_the_headings_above_them() -> None:
    source = "# Guide\n\nStart.\n\n## Install\n\nRun.\n\n### Linux\n\napt.\n\n## Use\n\nCall.\n"
    assert markdown_sections(source) == [
        Section(("Guide",), "Start."),
        Section(("Guide", "Install"), "Run."),
        Section(("Guide", "Install", "Linux"), "apt."),
        Section(("Guide", "Use"), "Call."),
    ]


def test_underlined_and_decorated_headings_count() -> None:
    source = "Guide\n=====\n\nStart.\n\nPart\n----\n\nMore.\n\n### **Bold** `code` ###\n\nEnd.\n"
    assert [section.titles for section in markdown_sections(source)] == [
        ("Guide",),
        ("Guide", "Part"),
        ("Guide", "Part", "Bold code"),
    ]


def test_paragraphs_stay_apart() -> None:
    assert text_of("One\nline.\n\nAnother.\n") == "One\nline.\n\nAnother."


def test_a_hash_in_a_listing_is_no_heading() -> None:
    source = "# Guide\n\n```sh\n# a comment\nrun\n```\n"
    [section] = markdown_sections(source)
    assert section.titles == ("Guide",)
    assert "# a comment\nrun" in section.text


def test_links_keep_their_text_and_images_leave_nothing() -> None:
    source = (
        "---\ntitle: x\n---\n<!-- hidden -->See [the guide](guide.md) and [that][1].\n"
        "![figure](a.png)\n[![badge](b.svg)](https://example.org)\n\n[1]: https://example.org\n"
    )
    assert text_of(source).strip() == "See the guide and that."


def test_the_line_that_rules_off_a_table_goes() -> None:
    source = "| a | b |\n| --- | :--: |\n| 1 | 2 |\n"
    assert text_of(source) == "| a | b |\n| 1 | 2 |"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("leans [1][2] and matrix[0][1]", "leans [1][2] and matrix[0][1]"),
        ("if a<b and c>d then", "if a<b and c>d then"),
        ("Vector<T> and Map<p, q>", "Vector<T> and Map<p, q>"),
        ("mail <span@example.org> now", "mail span@example.org now"),
        ("use the <script> tag", "use the <script> tag"),
        ("`<br>` and `a[0][1]`", "<br> and a[0][1]"),
        ("one<br>two", "one\ntwo"),
        ("<p align=center><img src=a.png>\n<b>bold</b></p>", "bold"),
        ("<T>\n\nText.", "<T>\n\nText."),
        ("Text.[^1]\n\n[^1]: Note", "Text.[^1]\n\n[^1]: Note"),
        ("**bold** _it_ ~~old~~ x_y_z", "bold it old x_y_z"),
        ("1. First\n\t- nested\n2. Second", "1. First\n- nested\n2. Second"),
        ("about 10<sup>8</sup> of H<sub>2</sub>O", "about 10^8 of H2O"),
    ],
)
def test_text_is_what_a_person_sees(source: str, shown: str) -> None:
    assert text_of(source) == shown


@pytest.mark.parametrize(
    "front",
    [
        "---\ntitle: Kettle guide\ntags: kitchen\n---\n",
        '---\n# comment\n"title": Kettle guide\nlist:\n- a\n...\n',
        "+++\ntitle = 'Kettle guide'\n[extra]\n+++\n",
    ],
)
def test_front_matter_gives_the_title_and_no_text(front: str) -> None:
    assert markdown_sections(f"{front}Boil.\n\n## Cleaning\n\nWipe.\n") == [
        Section(("Kettle guide",), "Boil."),
        Section(("Kettle guide", "Cleaning"), "Wipe."),
    ]


def test_text_between_rules_is_no_front_matter() -> None:
    assert text_of("---\n\nOne sentence.\n\n---\n\nAnother.\n") == "One sentence.\n\nAnother."
