from pathlib import Path

import pytest

from argo_ml.corpus.readers.base import Section
from argo_ml.corpus.readers.html import html_sections, read_html


def text_of(markup: str) -> str:
    return "\n\n".join(section.text for section in html_sections(markup))


def read(folder: Path, page: str) -> list[Section]:
    (folder / "a.html").write_text(page, encoding="utf-8")
    return read_html(folder / "a.html").sections


def test_reads_a_page_by_its_title_and_headings(tmp_path: Path) -> None:
    page = (
        "<html><head><title>Manual</title><script>var x = 1</script></head><body>"
        "<p>Größe.</p><h1>Radio</h1><p>The <a href='x.html'>unit</a> sends<br>beams.</p>"
        "<img src='a.png' alt='figure'></body></html>"
    )
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    first, second = read_html(tmp_path / "a.html").sections
    assert first == Section(("Manual",), "Größe.")
    assert second.titles == ("Manual", "Radio")
    assert second.text.split() == ["The", "unit", "sends", "beams."]


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("<p>5&nbsp;000&nbsp;euros</p>", "5 000 euros"),
        ("<p>if a&lt;b and c&gt;d</p>", "if a<b and c>d"),
        ("<p>as shown [1][2] in data[0][1]</p>", "as shown [1][2] in data[0][1]"),
        ("<p>one<br>two</p>", "one\ntwo"),
        ("one<p>two<p>three", "one\n\ntwo\n\nthree"),
        ("<p>a<b>b</b>c <i>d</i></p>", "abc d"),
        ("<ul><li>a<ol start=3><li>b<li>c</ol></ul>", "- a\n3. b\n4. c"),
        ("<dl><dt>term<dd>meaning</dl>", "term\nmeaning"),
        ("<pre>x = 1\n  y\n# z</pre>", "x = 1\n  y\n# z"),
        ("<!-- no --><script>no</script><style>no</style><noscript>no</noscript>yes", "yes"),
        ("<p hidden>no</p><template>no</template>yes", "yes"),
        ("<table><tr><th>a<th>b<tr><td>1<td></table>", "| a | b |\n| 1 |  |"),
        ("<table><tr><td><p>one</p><p>two</p></td><td>3</td></tr></table>", "| one two | 3 |"),
    ],
)
def test_text_is_what_a_person_sees(markup: str, shown: str) -> None:
    assert text_of(markup) == shown


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("3 x 10<sup>8</sup> m/s", "3 x 10^8 m/s"),
        ("10<sup>-5</sup> or 10<sup>&minus;5</sup>", "10^-5 or 10^\u22125"),
        ("2<sup>n</sup> and 2<sup>n+1</sup>", "2^n and 2^n+1"),
        ("(a + b)<sup>2</sup>", "(a + b)^2"),
        ("5,000<sup>1</sup> people", "5,000^1 people"),
        ("of people<sup>1</sup>", "of people 1"),
        ("<b>people</b><sup><a>1</a></sup>", "people 1"),
        ("in 2023.<sup>4</sup> Then", "in 2023. 4 Then"),
        ("the 20<sup>th</sup>, 1<sup>st</sup>, 2<sup>e</sup>", "the 20th, 1st, 2e"),
        ("5 km<sup>2</sup> of Ca<sup>2+</sup>", "5 km2 of Ca2+"),
        ("5,000<sup>[1]</sup> and <sup>14</sup>C", "5,000[1] and 14C"),
        ("H<sub>2</sub>O, x<sub>1</sub>, 7<sup></sup>8", "H2O, x1, 78"),
    ],
)
def test_a_raised_number_is_no_part_of_the_one_before(markup: str, shown: str) -> None:
    assert text_of(f"<p>{markup}</p>") == shown


def test_a_table_that_arranges_a_page_is_no_row() -> None:
    markup = "<table><tr><td><h2>Left</h2><p>one</p></td><td><h2>Right</h2><p>two</p></td></table>"
    assert html_sections(markup) == [Section(("Left",), "one"), Section(("Right",), "two")]


def test_a_heading_with_nothing_below_it_is_text() -> None:
    assert html_sections("<h1>A</h1><h2>B</h2><h2>C</h2><p>c</p>") == [
        Section(("A", "B"), "B"),
        Section(("A", "C"), "c"),
    ]


def test_menus_headers_footers_and_side_bars_are_no_text(tmp_path: Path) -> None:
    page = (
        "<title>Site</title><body><header><a>Home</a><h1>Radio</h1></header><nav>Menu</nav>"
        "<div role=navigation>Crumbs</div><main><header>Dated</header><p>Text.</p>"
        "<nav>Pages</nav></main><aside>Advert</aside><footer>Rights</footer></body>"
    )
    assert read(tmp_path, page) == [Section(("Site", "Radio"), "Dated\n\nText.")]


def test_a_page_that_is_all_menu_keeps_its_text(tmp_path: Path) -> None:
    assert read(tmp_path, "<nav>Where to go</nav>") == [Section((), "Where to go")]


def test_unclosed_elements_nest_as_deep_as_they_like(tmp_path: Path) -> None:
    [section] = read(tmp_path, "".join(f"<div>w{n} " for n in range(5000)))
    assert section.text.split() == [f"w{n}" for n in range(5000)]
