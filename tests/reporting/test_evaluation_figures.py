from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import drawing, result_builders, synthetic_evaluation
from PIL import Image

from argo_ml.evaluation.breakdowns import middle_price
from argo_ml.evaluation.record import Evaluation
from argo_ml.reporting.figures import EVALUATION_FIGURES, draw_evaluation
from argo_ml.reporting.figures.accuracy_retrievals import MOST_GATES, best_gates
from argo_ml.reporting.figures.evaluation import add_heading
from argo_ml.reporting.figures.strategy_styles import spread, strategy_styles, styles_of
from argo_ml.reporting.figures.style import styled
from argo_ml.reporting.strategy_kinds import Kind, kinds
from argo_ml.results.records import Results


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return synthetic_evaluation.full()


@pytest.fixture(scope="module")
def results() -> Results:
    return synthetic_evaluation.results()


def assert_drawn(folder: Path, names: list[str]) -> None:
    wanted = {f"{name}.{suffix}" for name in names for suffix in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == wanted
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert len(np.unique(pixels)) > 10
        # Nothing is cut off: the outermost pixels are background.
        edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        assert all(edge.min() == 255 for edge in edges), path.name


@pytest.mark.slow
def test_every_figure_of_nineteen_strategies_is_drawn(
    evaluation: Evaluation, results: Results, tmp_path: Path
) -> None:
    draw_evaluation(evaluation, results, tmp_path)

    assert_drawn(tmp_path, list(EVALUATION_FIGURES))


def test_figures_without_data_are_left_out(results: Results, tmp_path: Path) -> None:
    draw_evaluation(synthetic_evaluation.minimal(), results, tmp_path)

    assert_drawn(tmp_path, ["graph_1a", "graph_1b", "price_utility", "accuracy_retrievals"])


def test_redrawing_from_json_gives_identical_files(results: Results, tmp_path: Path) -> None:
    evaluation = synthetic_evaluation.minimal()
    stored = Evaluation.model_validate_json(evaluation.model_dump_json())

    draw_evaluation(evaluation, results, tmp_path / "first")
    draw_evaluation(stored, results, tmp_path / "second")

    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_strategies_are_of_the_kind_that_their_rows_say(evaluation: Evaluation) -> None:
    found = kinds(evaluation)

    assert found["argo"] is Kind.STEPWISE
    assert found["never"] is Kind.FIXED
    assert found["entropy_gate"] is Kind.GATE
    assert found["oracle"] is Kind.CEILING


def test_nineteen_strategies_all_look_different(evaluation: Evaluation) -> None:
    styles = styles_of(evaluation)

    assert len({(style.color, style.marker, str(style.line)) for style in styles.values()}) == 19
    assert len({style.color for style in styles.values()}) == 13
    assert styles == strategy_styles(list(styles))


def test_price_utility_names_every_strategy_once(evaluation: Evaluation, results: Results) -> None:
    with styled():
        figure = EVALUATION_FIGURES["price_utility"].draw(evaluation, results)

    assert figure is not None
    named = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sorted(named) == sorted(synthetic_evaluation.STRATEGIES)


def test_fixed_strategies_are_named_beside_their_points(
    evaluation: Evaluation, results: Results
) -> None:
    with styled():
        figure = EVALUATION_FIGURES["accuracy_retrievals"].draw(evaluation, results)

    assert figure is not None
    named = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(named) == sorted(synthetic_evaluation.FIXED)
    assert len(figure.axes) == 1 + MOST_GATES


def test_best_gates_are_those_whose_ranking_is_worth_most(evaluation: Evaluation) -> None:
    worths = [
        sum(point.accuracy for point in gate.exact) for gate in best_gates(evaluation.frontiers)
    ]

    assert len(worths) == MOST_GATES
    assert worths == sorted(worths, reverse=True)


def test_reliability_has_at_most_six_panels(evaluation: Evaluation, results: Results) -> None:
    figure = EVALUATION_FIGURES["reliability"].draw(evaluation, results)

    assert figure is not None
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["never, n = 270 questions", "single, n = 270 questions"]
    assert len(titles) == 6


def test_few_questions_have_no_diagram(evaluation: Evaluation, results: Results) -> None:
    points = [point.model_copy(update={"n": 4}) for point in evaluation.reliability["argo"]]
    bins = [gain.model_copy(update={"n": 60, "n_questions": 39}) for gain in evaluation.gains]
    few = evaluation.model_copy(update={"reliability": {"argo": points}, "gains": tuple(bins)})

    assert EVALUATION_FIGURES["reliability"].draw(few, results) is None
    assert EVALUATION_FIGURES["gains"].draw(few, results) is None


def test_gains_have_a_panel_per_strategy(evaluation: Evaluation, results: Results) -> None:
    figure = EVALUATION_FIGURES["gains"].draw(evaluation, results)

    assert figure is not None
    assert len(figure.axes) == 2


def test_middle_price_of_an_even_number_is_the_higher(evaluation: Evaluation) -> None:
    four = evaluation.model_copy(update={"prices": (0.4, 0.1, 0.2, 0.3)})

    assert middle_price(evaluation.prices) == 0.1
    assert middle_price(four.prices) == 0.3


def test_spread_moves_only_what_is_too_near() -> None:
    assert spread([0.9, 0.1, 0.5], 0.1) == pytest.approx([0.9, 0.1, 0.5])
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([], 0.1) == []


def test_prices_of_figures_are_in_the_users_unit(evaluation: Evaluation, results: Results) -> None:
    own = result_builders.in_tokens(results)
    with styled():
        diagram = EVALUATION_FIGURES["reliability"].draw(evaluation, own)
        actions = EVALUATION_FIGURES["actions_by_difficulty"].draw(evaluation, own)

    assert diagram is not None and actions is not None
    assert diagram.get_supxlabel() == "confidence in the answer given at 200 tokens per retrieval"
    label = actions.axes[0].get_xlabel().replace("\n", " ")
    assert label == "actions per question at 200 tokens per retrieval"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reliability", "gains", "actions_by_difficulty"])
def test_headings_and_labels_fit_into_a_narrow_figure(
    name: str, evaluation: Evaluation, results: Results
) -> None:
    strategy = "argo_fitted"
    one = evaluation.model_copy(
        update={
            "reliability": {strategy: evaluation.reliability[strategy]},
            "gains": [own for own in evaluation.gains if own.strategy == strategy],
        }
    )
    own = result_builders.in_tokens(results)
    long = {"model": "Qwen2.5-Coder-32B-Instruct-GPTQ-Int4-v1.2", "dataset": "oran_bench"}
    named = own.model_copy(update={"spec": {**own.spec, **long}})

    with styled():
        figure = EVALUATION_FIGURES[name].draw(one, named)
        assert figure is not None
        add_heading(figure, one, named)

        assert drawing.cut_off(figure) == []
