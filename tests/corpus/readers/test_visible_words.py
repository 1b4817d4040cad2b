"""Every word that a person sees in a rendered document is in a passage."""

from hypothesis import given
from hypothesis import strategies as st

from argo_ml.corpus.cleaning import plain_text
from argo_ml.corpus.readers.base import Section
from argo_ml.corpus.readers.html import html_sections
from argo_ml.corpus.readers.markdown import markdown_sections

WORD = st.sampled_from(
    [
        "tower",
        "5000",
        "m[0][1]",
        "[1][2]",
        "a&lt;b",
        "Größe",
        "東京",
        "ไทย",
        "x_y_z",
        "C++",
        "don't",
    ]
)
WORDS = st.lists(WORD, min_size=1, max_size=4)
SPACE = st.sampled_from([" ", "\u00a0", "\u3000", "\u200b", "  ", "\u2003"])

MARKDOWN = [
    "{}", "# {}", "### {} ###", "{}\n===", "**{}**", "_{}_", "- {}\n  - {}", "3. {}\n4. {}",
    "> {}", "[{}](http://example.org 'title')", "`{}` {}", "```sh\n{}\n```", "    {}",
    "| {} | {} |\n| --- | :-: |\n| {} | {} |", "<b>{}</b><br>{}", "<div align=center>\n{}\n</div>",
    "<!-- hidden -->\n{}", "~~{}~~", "{}\\\n{}", "---\n\n{}", "[^1]: {}", "if a<b and c>d {}",
    "Vector<T> {}", "<details open><summary>{}</summary>\n\n{}\n</details>", "![alt](a.png) {}",
]  # fmt: skip
HTML = [
    "<p>{}</p>", "<h1>{}</h1>", "<h3>{}</h3>", "<p>{}<br>{}", "<ul><li>{}<li>{}</ul>", "{}",
    "<table><tr><td>{}<td>{}<tr><th>{}</th></tr></table>", "<pre>{}\n{}</pre>",
    "<div>{}<p>{}</div>",
    "<dl><dt>{}<dd>{}</dl>", "<p><b>{}</b> <i>{}</i><!-- no -->", "<code>{}</code>",
    "<script>var a = '<p>'</script><p>{}", "<table><tr><td><table><tr><td>{}</table></table>",
    "<ol start=7><li><p>{}</p><p>{}</p></ol>", "<select><option>{}<option>{}</select>",
    "<h2><div>{}",
]  # fmt: skip


@st.composite
def documents(draw: st.DrawFn, templates: list[str], gap: str) -> tuple[str, list[str]]:
    """Markup, and the words put into it."""
    parts, words = [], []
    for template in draw(st.lists(st.sampled_from(templates), min_size=1, max_size=6)):
        for _ in range(template.count("{}")):
            some = draw(WORDS)
            words.extend(some)
            template = template.replace("{}", draw(SPACE).join(some), 1)
        parts.append(template)
    return gap.join(parts), words


def seen(sections: list[Section]) -> str:
    return " ".join(plain_text(" ".join((*section.titles, section.text))) for section in sections)


def missing(words: list[str], text: str) -> list[str]:
    """Words that are not there, or not apart from others."""
    present = text.replace("|", " ").split()
    shown = [word.replace("&lt;", "<") for word in words]
    return [word for word in shown if word not in present]


@given(documents(MARKDOWN, "\n\n"))
def test_no_word_of_markdown_is_lost(document: tuple[str, list[str]]) -> None:
    source, words = document
    plain_words = [word.replace("&lt;", "<") for word in words]
    text = seen(markdown_sections(source.replace("&lt;", "<")))
    assert missing(plain_words, text) == []


@given(documents(HTML, "\n"))
def test_no_word_of_a_page_is_lost(document: tuple[str, list[str]]) -> None:
    source, words = document
    assert missing(words, seen(html_sections(source))) == []
