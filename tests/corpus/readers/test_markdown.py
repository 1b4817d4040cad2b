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
