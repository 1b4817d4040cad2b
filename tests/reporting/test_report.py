"""The report as a reader gets it: one file, parsed as HTML."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from builders import result_builders, synthetic_evaluation

from argo_ml.config import SweepSpec
from argo_ml.evaluation.advice import Advice
from argo_ml.evaluation.examples import Example, ExampleEpisode, ExamplePassage, ExampleStep
from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting import store_report, write_report
from argo_ml.statistics.intervals import Estimate

pytestmark = pytest.mark.slow


VOID = {"meta", "img", "br", "link", "input", "hr"}
MOST_BYTES = 3_000_000
FLOORS = "majority position 0.310, longest choice 0.352, random 0.250"


@dataclass
class Table:
    caption: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def row(self, strategy: str) -> dict[str, str]:
        [found] = [row for row in self.rows if row[0] == strategy]
        return dict(zip(self.columns, found, strict=True))


class Page(HTMLParser):
    """Refuses tags that are closed out of order or left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.tables: list[Table] = []
        self.images: list[dict[str, str | None]] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.language: str | None = None
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags[tag] += 1
        self.references += [values[name] or "" for name in ("src", "href") if name in values]
        self.ids += [each for each in [values.get("id")] if each]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "html":
            self.language = values.get("lang")
        elif tag == "img":
            self.images.append(values)
        elif tag == "table":
            self.tables.append(Table())
        elif tag == "tr" and "tbody" in self.open:
            self.tables[-1].rows.append([])
        elif tag in ("th", "td") and "tbody" in self.open:
            self.tables[-1].rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if "caption" in self.open:
            self.tables[-1].caption += data
        elif "thead" in self.open and "th" in self.open:
            self.tables[-1].columns.append(data.replace("\N{NO-BREAK SPACE}", " "))
        elif "tbody" in self.open and self.open[-1] in ("th", "td", "span"):
            self.tables[-1].rows[-1][-1] += f"{data} " if self.open[-1] == "span" else data

    def table(self, caption: str) -> Table:
        [found] = [table for table in self.tables if table.caption.startswith(caption)]
        return found


class _Run:
    """Stands for an MLflow run."""

    def log_folder(self, folder: Path) -> None:
        """Keep nothing."""


def written(evaluation: Evaluation, folder: Path) -> str:
    path = folder / "report.html"
    write_report(evaluation, synthetic_evaluation.results(), path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(synthetic_evaluation.full(), tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_page_is_well_formed_and_says_its_language(page: Page) -> None:
    assert page.language == "en"
    assert page.tags["h1"] == 1
    assert len(page.ids) == len(set(page.ids))


def test_nothing_is_fetched(text: str, page: Page) -> None:
    assert all(each.startswith(("#", "data:image/")) for each in page.references)
    assert page.tags["script"] == page.tags["link"] == page.tags["iframe"] == 0
    assert "@import" not in text
    assert "url(" not in text


def test_links_lead_to_sections_of_the_page(page: Page) -> None:
    links = [each[1:] for each in page.references if each.startswith("#")]

    assert len(links) == 13
    assert set(links) <= set(page.ids)


def test_file_is_small(text: str) -> None:
    assert len(text.encode()) < MOST_BYTES


def test_every_figure_is_inlined_with_a_text_in_its_place(page: Page) -> None:
    assert len(page.images) == page.tags["figcaption"] == 7
    assert all(len(image["alt"] or "") > 40 for image in page.images)


def test_every_table_says_n_and_what_needs_no_model(page: Page) -> None:
    assert len(page.tables) == page.tags["caption"] == 34
    assert all("n = 300 questions" in table.caption for table in page.tables)
    assert all(FLOORS in table.caption for table in page.tables)


def test_every_cell_has_a_header(page: Page) -> None:
    for table in page.tables:
        assert table.rows
        n_groups = sum(" n = " in name for name in table.columns)
        assert {len(row) for row in table.rows} == {len(table.columns) - n_groups}


def test_strategies_of_a_price_have_their_numbers_and_marks(page: Page) -> None:
    table = page.table("At c_r = 0.1\n")
    evaluation = synthetic_evaluation.full()
    [row] = [each for each in evaluation.rows_of("argo") if each.retrieval_cost == 0.1]

    found = table.row("argo")
    assert len(table.rows) == 19
    assert found["accuracy [95 %]"] == (
        f"{row.accuracy.mean:.3f} [{row.accuracy.low:.3f}, {row.accuracy.high:.3f}]"
    )
    assert found["RC"] == f"{row.rc:.2f}"
    assert found["gate retrieves for"] == "n/a"
    assert table.row("oracle")["marks"] == "ceiling "
    assert table.row("vote_gate")["marks"] == "degenerate "
    assert table.row("argo_calibrated")["marks"].endswith("baseline ")
    assert [row[1] for row in table.rows if "baseline" in row[1]] == [
        table.row("argo_calibrated")["marks"]
    ]
    marks = [each[1] for each in table.rows]
    assert sum("best " in each.replace("best fixed ", "") for each in marks) == 1
    assert sum("best fixed" in each for each in marks) == 1


def test_rows_begin_with_the_most_useful(page: Page) -> None:
    utilities = [float(row[3].split()[0]) for row in page.table("At c_r = 0.2\n").rows]

    assert utilities == sorted(utilities, reverse=True)


def test_comparisons_have_adjusted_p_values(page: Page) -> None:
    found = page.table("Against the best fixed strategy at c_r = 0.05").row("argo")

    assert found["utility difference [95 %]"].startswith(("+", "-"))
    assert found["p, Holm"] in ("0.004", "0.080", "1.000")


def test_over_all_prices_counts_what_was_compared(page: Page) -> None:
    table = page.table("Over all prices")

    assert table.row("never")["prices where better than best fixed"] == "n/a"
    assert table.row("argo")["kind"] == "stepwise"
    assert int(table.row("argo")["prices where better than best fixed"]) >= 0


def test_question_answer_and_caveats_are_there_as_they_came(page: Page) -> None:
    evaluation = synthetic_evaluation.full()

    for sentence in (evaluation.question, evaluation.answer, *evaluation.caveats):
        assert sentence in page.text


def test_every_setting_and_digest_is_there(page: Page) -> None:
    results = synthetic_evaluation.results()

    assert [name for name in results.spec if f"\n{name}" not in page.text] == []
    assert [value for value in results.digests.values() if value not in page.text] == []


def test_it_says_how_to_make_it_again(page: Page) -> None:
    assert "argo-ml report --sweep 0123456789abcdef0123456789abcdef" in page.text


def test_what_data_says_is_no_markup(tmp_path: Path) -> None:
    question = "<script>alert('x')</script> & \"more\""
    evaluation = synthetic_evaluation.minimal().model_copy(
        update={"question": question, "answer": question, "caveats": (question,)}
    )

    page = Page(written(evaluation, tmp_path))

    assert page.tags["script"] == 0
    assert page.text.count(question) == 3


@pytest.mark.usefixtures("quick_figures")
@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>.jsonl", "**a** [b](javascript:c)"])
def test_names_of_questions_data_sets_and_models_are_text(name: str, tmp_path: Path) -> None:
    page, plain = (page_naming(text, tmp_path) for text in (name, "plain.jsonl"))

    assert page.text.count(name) == plain.text.count("plain.jsonl") > 3
    assert page.tags == plain.tags
    assert all(reference.startswith(("#", "data:image/svg")) for reference in page.references)


def page_naming(name: str, folder: Path) -> Page:
    results = synthetic_evaluation.results()
    spec = {**results.spec, "questions": name, "dataset": name, "model": name}
    path = folder / "report.html"
    write_report(
        synthetic_evaluation.minimal().model_copy(update={"question": name}),
        results.model_copy(update={"spec": spec, "digests": {name: name}}),
        path,
        [example(name)],
    )
    return Page(path.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("quick_figures")
def test_least_evaluation_has_a_report(tmp_path: Path) -> None:
    page = Page(written(synthetic_evaluation.minimal(), tmp_path))

    assert [table.caption.splitlines()[0] for table in page.tables] == [
        "Over all prices",
        "At c_r = 0.05",
        "Calls per question at c_r = 0.05",
    ]
    assert len(page.images) == 4
    assert "found nothing to warn of" in page.text


def example(question: str) -> Example:
    step = ExampleStep(
        action="retrieve",
        asked=question,
        answered="<b>Lima</b>",
        succeeded=True,
        fallback=False,
        passages=(ExamplePassage(title="<i>Peru</i>", text="Lima & more", similarity=0.5),),
        times=3,
    )
    episode = ExampleEpisode(
        strategies=("argo", "always_retrieve"),
        answer="Lima",
        correct=True,
        cost=0.3,
        stop_reason="policy",
        steps=(step,),
    )
    return Example(
        question=question,
        choices=("Lima", "Quito"),
        gold=("Lima",),
        retrieval_cost=0.1,
        episodes=(episode,),
        why="retrieving helped most",
    )


@pytest.mark.usefixtures("quick_figures")
def test_examples_are_told_step_by_step_and_are_no_markup(tmp_path: Path) -> None:
    question = "<script>alert('x')</script> Which & where?"
    path = tmp_path / "report.html"
    evaluation = synthetic_evaluation.minimal()

    write_report(evaluation, synthetic_evaluation.results(), path, [example(question)])

    page = Page(path.read_text(encoding="utf-8"))
    assert page.tags["script"] == page.tags["i"] == 0
    assert page.text.count(question) == 2
    assert "Here retrieving helped most." in page.text
    assert "3 times with the same result" in page.text
    assert "<i>Peru</i> (similarity 0.50): Lima & more" in page.text
    assert "argo, always_retrieve" in page.text and "Lima (right)" in page.text


@pytest.mark.usefixtures("quick_figures")
def test_what_there_are_too_few_questions_to_draw_is_said(tmp_path: Path) -> None:
    full = synthetic_evaluation.full()
    points = tuple(point.model_copy(update={"n": 3}) for point in full.reliability["argo"])
    few = full.model_copy(update={"reliability": {"argo": points}, "gains": ()})

    page = Page(written(few, tmp_path))

    assert "No reliability diagram: bins of at least 20 questions need 40" in page.text


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_identical_strategies_have_no_difference(tmp_path: Path) -> None:
    evaluation = synthetic_evaluation.full()
    first, *_ = evaluation.contrasts
    free, costly = (
        first.model_copy(update={"is_identical": True, "utility": Estimate(mean, mean, mean)})
        for mean in (0.0, -0.01)
    )
    contrasts = (free, costly)

    page = Page(written(evaluation.model_copy(update={"contrasts": contrasts}), tmp_path))

    same = "the same actions and answers on every question"
    assert page.text.count(same) == 2
    assert page.text.count(f"{same}; utility -0.010 [no interval: no spread]") == 1


@pytest.mark.usefixtures("quick_figures")
def test_the_page_of_an_advice_says_how_that_is_made_anew() -> None:
    run: Any = _Run()
    advice = Advice(
        advice_id="the-advice",
        question="",
        sentences=(),
        ranges=(),
        prices=(),
        sizes={},
        judged_on="test",
    )

    text = store_report(
        run, synthetic_evaluation.minimal(), synthetic_evaluation.results(), advice=advice
    )

    assert "<pre>argo-ml report --sweep the-advice</pre>" in text
    assert "<code>the-advice</code>, where the figures are too" in text


@pytest.mark.usefixtures("quick_figures")
def test_headings_which_stand_in_summaries_are_printed(tmp_path: Path) -> None:
    text = written(synthetic_evaluation.minimal(), tmp_path)

    printed = text.partition("@media print {")[2].partition("\n}")[0]
    [hidden] = re.findall(r"([^{}]+)\{ display: none; \}", printed)
    assert '<summary><h2 id="key-numbers">' in text
    assert {own.strip() for own in hidden.split(",")} == {"nav", ".episode summary"}


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_a_page_is_in_the_users_unit_alone(tmp_path: Path) -> None:
    spec = SweepSpec(n_questions=12, strategies="never,single,argo", retrieval_costs="0.75,0.9")
    results = result_builders.in_tokens(result_builders.results(spec))
    path = tmp_path / "report.html"

    write_report(evaluate(results), results, path, [example("Where?")])

    text = Page(path.read_text(encoding="utf-8")).text
    assert re.findall(r"\bc_r\b|\de\+\d", text) == []
    assert "every step costs the tokens and seconds that it\ntakes" in text
    assert "At 1,500 tokens per retrieval" in text
    assert "none at 1,500 tokens per retrieval" in text
    assert "cost 600 tokens" in text


def test_same_evaluation_gives_the_same_file(tmp_path: Path) -> None:
    evaluation = synthetic_evaluation.minimal()

    assert written(evaluation, tmp_path) == written(evaluation, tmp_path)


def test_report_says_what_a_look_costs_where_it_does(tmp_path: Path) -> None:
    results = synthetic_evaluation.results()
    paid = results.model_copy(update={"spec": {**results.spec, "probe_cost": 0.01}})
    path = tmp_path / "report.html"

    texts = []
    for own in (results, paid):
        write_report(synthetic_evaluation.full(), own, path)
        texts.append(" ".join(path.read_text(encoding="utf-8").split()))

    said = "a model call that only serves a decision 0.01."
    assert [said in text for text in texts] == [False, True]
