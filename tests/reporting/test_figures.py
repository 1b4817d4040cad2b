from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from builders import drawing, result_builders
from matplotlib import rcParams
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from argo_ml.config import SweepSpec
from argo_ml.reporting.figures import SWEEP_FIGURES, models, redraw, save_cell_figures
from argo_ml.reporting.figures.front import pareto_front, pareto_fronts
from argo_ml.reporting.figures.strategy_styles import strategy_styles
from argo_ml.reporting.figures.style import at_price, dodged, spaced, styled
from argo_ml.results.records import Results
from argo_ml.results.unit import SHARES, Unit

pytestmark = pytest.mark.slow


NAMES = ["graph_1a", "graph_1b", "front", "utility"]
FILES = {f"{name}.{suffix}" for name in NAMES for suffix in ("png", "svg")}


@pytest.fixture(scope="module")
def results() -> Results:
    return result_builders.results(SweepSpec(n_questions=5, retrieval_costs="0.02,0.05,0.2"))


@pytest.fixture(scope="module")
def drawn(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    redraw(results, folder)
    return folder


def renamed(results: Results, names: list[str]) -> Results:
    """The first strategy's cells, once for each name."""
    cells = tuple(
        cell.model_copy(update={"strategy": name})
        for name in names
        for cell in results.row(results.strategies[0])
    )
    return results.model_copy(update={"strategies": tuple(names), "cells": cells})


def assert_drawn(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert len(np.unique(pixels)) > 10
        # Nothing is cut off: the outermost pixels are background.
        edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        assert all(edge.min() == 255 for edge in edges)


def test_every_figure_is_there_as_png_and_svg(drawn: Path) -> None:
    assert_drawn(drawn)


def test_redrawing_from_json_gives_identical_files(
    results: Results, drawn: Path, tmp_path: Path
) -> None:
    stored = results.model_dump_json()

    redraw(Results.model_validate_json(stored), tmp_path)

    for name in FILES:
        assert (tmp_path / name).read_bytes() == (drawn / name).read_bytes()


def test_drawing_leaves_the_users_settings_alone(results: Results, tmp_path: Path) -> None:
    before = dict(rcParams)

    save_cell_figures(results.cells[0], SHARES, tmp_path)

    assert dict(rcParams) == before


def test_one_strategy_at_one_price_suffices(tmp_path: Path) -> None:
    spec = SweepSpec(n_questions=2, strategies="random", retrieval_costs="0.05")

    redraw(result_builders.results(spec), tmp_path)

    assert_drawn(tmp_path)


def test_nine_strategies_of_any_name_fit(results: Results, tmp_path: Path) -> None:
    names = [f"a_rather_long_strategy_name_{index}" for index in range(7)]

    redraw(renamed(results, [*names, "with $ sign", "x"]), tmp_path)

    assert_drawn(tmp_path)


def test_costs_and_prices_are_in_the_users_unit(results: Results) -> None:
    own = result_builders.in_tokens(results)
    with styled():
        front = SWEEP_FIGURES["front"](own)
        ticks = SWEEP_FIGURES["graph_1a"](own).axes[0].get_xticklabels()

    assert front.axes[0].get_xlabel() == "mean cost per question (tokens)"
    assert front.axes[0].get_title(loc="left") == "40 tokens per retrieval"
    assert "c_r" not in front.get_suptitle()
    costs = [x for line in front.axes[0].get_lines() for x in np.asarray(line.get_xdata())]
    assert max(costs) == pytest.approx(
        2000.0 * max(cell.metrics["cost"] for cell in own.cells if cell.retrieval_cost == 0.02)
    )
    assert [tick.get_text() for tick in ticks] == ["40", "100", "400"]


def test_front_says_that_looks_are_paid_for_where_they_are(results: Results) -> None:
    paid = results.model_copy(update={"spec": {**results.spec, "probe_cost": 0.01}})

    headings = [SWEEP_FIGURES["front"](own).get_suptitle() for own in (results, paid)]

    assert ["probe_cost x looks" in heading.replace("\n", " ") for heading in headings] == [
        False,
        True,
    ]


def test_models_of_the_same_last_name_have_titles_of_their_own(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(models, "save", lambda figure, *_: figures.append(figure))

    models.draw_models(["one/Llama-1B", "two/Llama-1B"], [results, results], tmp_path)

    titles = {tuple(axes.get_title(loc="left") for axes in figure.axes) for figure in figures}
    assert titles == {("one/Llama-1B", "two/Llama-1B")}


def test_headings_fit_whatever_the_model_is_called(results: Results) -> None:
    long = {"model": "Qwen2.5-Coder-32B-Instruct-GPTQ-Int4-v1.2", "dataset": "oran_bench"}
    named = results.model_copy(update={"spec": {**results.spec, **long}})

    with styled():
        cut = {name: drawing.cut_off(draw(named)) for name, draw in SWEEP_FIGURES.items()}

    assert cut == {name: [] for name in NAMES}


def test_a_dollar_is_no_formula() -> None:
    dollars = Unit(factor=2.0, name="$", is_own=True)

    assert at_price(0.2, dollars) == r"0.4 \$ per retrieval"
    assert at_price(0.2, SHARES) == "$c_r$ = 0.2"


def test_graph_1a_shows_accuracy_by_price_with_floors(results: Results) -> None:
    with styled():
        axes = SWEEP_FIGURES["graph_1a"](results).axes[0]

    lines = {str(line.get_label()): line for line in axes.get_lines()}
    argo = lines["argo"]
    assert list(np.asarray(argo.get_xdata())) == pytest.approx([0.02, 0.05, 0.2], abs=0.006)
    assert list(np.asarray(argo.get_ydata())) == [
        cell.metrics["accuracy"] for cell in results.row("argo")
    ]
    assert list(np.asarray(lines["majority position"].get_ydata())) == [0.3, 0.3]
    assert list(np.asarray(lines["longest choice"].get_ydata())) == [0.35, 0.35]
    assert axes.get_ylabel() == "accuracy (share of questions)"
    assert "c_r" in axes.get_xlabel()
    title = axes.get_title(loc="left")
    assert "atlas, hard, smollm2-135m, n = 5 questions" in title


def test_graph_1b_shows_retrievals_by_price(results: Results) -> None:
    axes = SWEEP_FIGURES["graph_1b"](results).axes[0]

    lines = {str(line.get_label()): line for line in axes.get_lines()}
    assert list(np.asarray(lines["always_retrieve"].get_ydata())) == [4.0, 4.0, 4.0]
    assert list(np.asarray(lines["always_reason"].get_ydata())) == [0.0, 0.0, 0.0]
    assert axes.get_ylabel() == "retrievals per question"


def test_legend_names_every_strategy_once(results: Results) -> None:
    figure = SWEEP_FIGURES["graph_1b"](results)

    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["argo", "always_retrieve", "always_reason", "random", "never", "single"]


def test_utility_compares_argo_only_where_it_ran(results: Results) -> None:
    without = renamed(results, ["always_retrieve"])

    assert len(SWEEP_FIGURES["utility"](results).axes) == 2
    assert len(SWEEP_FIGURES["utility"](without).axes) == 1


def test_open_questions_have_no_floor_lines(results: Results) -> None:
    floors = {"majority_position": 0.0, "longest_choice": 0.0, "random": 0.0}
    axes = SWEEP_FIGURES["graph_1a"](results.model_copy(update={"floors": floors})).axes[0]

    labels = {str(line.get_label()) for line in axes.get_lines()}
    assert "majority position" not in labels


def test_seven_strategies_differ_without_color() -> None:
    styles_of = list(strategy_styles([f"s{index}" for index in range(7)]).values())

    assert len({style.marker for style in styles_of}) == 7
    assert len({str(style.line) for style in styles_of}) == 7
    luminance = [np.dot(to_rgb(style.color), (0.2126, 0.7152, 0.0722)) for style in styles_of]
    assert all(abs(first - second) > 0.15 for first, second in pairwise(luminance))


def test_many_strategies_all_look_different() -> None:
    styles_of = strategy_styles([f"s{index}" for index in range(60)]).values()

    assert len({(style.color, style.marker, str(style.line)) for style in styles_of}) == 60


def test_pareto_front_holds_what_nothing_cheaper_beats(results: Results) -> None:
    points = [(0.1, 0.5), (0.2, 0.4), (0.3, 0.7), (0.3, 0.6), (0.4, 0.7)]
    cells = [
        results.cells[0].model_copy(update={"metrics": {"cost": cost, "accuracy": accuracy}})
        for cost, accuracy in points
    ]

    front = pareto_front(cells)

    assert [cell.metrics["cost"] for cell in front] == [0.1, 0.3]


def test_there_is_a_front_per_price_and_no_ceiling_on_it(results: Results) -> None:
    cells = [
        cell.model_copy(update={"metrics": {**cell.metrics, "accuracy": 1.0}, "strategy": "oracle"})
        for cell in results.row("always_reason")
    ]
    with_oracle = results.model_copy(
        update={"strategies": (*results.strategies, "oracle"), "cells": (*results.cells, *cells)}
    )

    fronts = pareto_fronts(with_oracle)

    assert list(fronts) == [0.02, 0.05, 0.2]
    for price, front in fronts.items():
        assert {cell.retrieval_cost for cell in front} == {price}
        assert "oracle" not in {cell.strategy for cell in front}


def test_front_has_a_panel_per_price_and_at_most_six(results: Results) -> None:
    many = result_builders.results(SweepSpec(n_questions=2, strategies="random", n_prices=19))

    assert len(SWEEP_FIGURES["front"](results).axes) == 3
    assert len(SWEEP_FIGURES["front"](many).axes) == 6


def test_strategies_stand_beside_each_other_within_half_of_the_distance_of_prices() -> None:
    prices = [0.02, 0.05, 0.2]

    columns = [dodged(prices, prices, index, 6) for index in range(6)]

    assert len({column[0] for column in columns}) == 6
    assert columns[-1][0] - columns[0][0] < 0.015
    assert sum(column[1] for column in columns) / 6 == pytest.approx(0.05)


def test_ticks_stand_apart() -> None:
    assert spaced([0.02, 0.021, 0.022, 0.1, 0.199, 0.2], 10) == [0.02, 0.1, 0.2]
    assert spaced([0.02, 0.11, 0.2], 10) == [0.02, 0.11, 0.2]
    assert spaced([0.05], 10) == [0.05]


def test_a_strategy_looks_the_same_in_every_figure_and_sweep() -> None:
    small = strategy_styles(["argo", "always_retrieve", "never", "single"])
    large = strategy_styles(["single", "margin_gate", "oracle", "argo", "never", "graded"])

    assert small["argo"] == large["argo"]
    assert small["never"] == large["never"]
    assert small["single"] == large["single"]
    assert len({style.color for style in large.values()}) == 6
    assert len({style.marker for style in large.values()}) == 6


def test_cell_figures_are_drawn(results: Results, tmp_path: Path) -> None:
    save_cell_figures(results.row("random")[1], SHARES, tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"policy.png", "actions.png"}


def test_a_cell_that_does_not_act_by_the_process_has_no_figure_of_it(
    results: Results, tmp_path: Path
) -> None:
    cell = results.row("random")[1]
    table = cell.policy.model_copy(update={"policy_value": None, "policy_regret": None})

    save_cell_figures(cell.model_copy(update={"policy": table}), SHARES, tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"actions.png"}


def test_cell_whose_questions_took_no_step_is_drawn(results: Results, tmp_path: Path) -> None:
    cell = results.cells[0]
    rows = tuple(row.model_copy(update={"actions": ()}) for row in cell.questions)

    save_cell_figures(cell.model_copy(update={"questions": rows}), SHARES, tmp_path)

    assert (tmp_path / "actions.png").stat().st_size > 1000
