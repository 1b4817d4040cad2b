"""Which strategy is advised at a price, on made-up outcomes."""

from __future__ import annotations

import numpy as np
import pytest
from builders import hand_made_sweep as sweep

from argo_ml.advising.choosing import choose, confirmed_strategies
from argo_ml.advising.confirming import advised_ranges, certainty_of, confirm
from argo_ml.advising.sentences import Questions, sentences
from argo_ml.evaluation.advice import Certainty, Recommendation
from argo_ml.results.records import CellResult
from argo_ml.results.unit import SHARES
from argo_ml.statistics.resampling import Resampled, resample

RETRIEVE = ("retrieve",)
TEST = Questions("test", 100, are_others=True)
NEVER = "1" * 40 + "0" * 60
SINGLE = "1" * 90 + "0" * 10


def cells(
    price: float, adaptive: str = "", never: str = NEVER, single: str = SINGLE
) -> list[CellResult]:
    made = [sweep.cell("never", price, never), sweep.cell("single", price, single, RETRIEVE)]
    if adaptive:
        made.append(sweep.cell("argo_fitted", price, adaptive))
    return made


def test_what_earns_most_at_each_price_is_chosen() -> None:
    results = sweep.results(*cells(0.1), *cells(0.6))

    assert [choice.strategy for choice in choose(results)] == ["single", "never"]
    assert [choice.alternative for choice in choose(results)] == ["never", "single"]


def test_a_policy_is_chosen_where_it_earns_more_on_questions_left_out() -> None:
    [choice] = choose(sweep.results(*cells(0.3, adaptive="1" * 95 + "0" * 5)))

    assert (choice.strategy, choice.alternative) == ("argo_fitted", "single")
    assert choice.gain is not None
    assert round(choice.gain.mean, 3) == 0.35


def test_a_policy_that_earns_no_more_leaves_the_fixed_plan() -> None:
    [choice] = choose(sweep.results(*cells(0.1, adaptive=NEVER)))

    assert (choice.strategy, choice.candidate) == ("single", "argo_fitted")


def test_what_was_the_best_at_no_price_is_not_confirmed() -> None:
    worse = [
        sweep.cell("argo_calibrated", 0.3, "0" * 100),
        sweep.cell("always_retrieve", 0.3, "1" * 80 + "0" * 20, RETRIEVE * 2),
    ]
    results = sweep.results(*cells(0.3, adaptive="1" * 95 + "0" * 5), *worse)

    named = confirmed_strategies(results.strategies, choose(results))

    assert set(named) == {"never", "single", "argo_fitted"}


def test_a_policy_that_acts_like_the_plan_on_the_test_is_no_other_method() -> None:
    tune = sweep.results(*cells(0.3, adaptive="1" * 95 + "0" * 5))
    never, single = cells(0.3)
    alike = sweep.cell("argo_fitted", 0.3, SINGLE, RETRIEVE)

    [at] = confirm(choose(tune), sweep.results(never, single, alike))

    assert (at.strategy, at.alternative) == ("single", "never")


def test_ranges_join_prices_and_change_where_utilities_cross() -> None:
    results = sweep.results(*cells(0.1), *cells(0.2), *cells(0.6))
    prices = confirm(choose(results), results)

    below, above = advised_ranges(prices, results)

    assert (below.strategy, below.low, below.prices) == ("single", None, (0.1, 0.2))
    assert round(below.high or 0, 6) == round(above.low or 0, 6) == 0.5
    assert (above.recommendation, above.high) == (Recommendation.NEVER, None)


def test_a_choice_that_the_test_refutes_changes_places_with_its_alternative() -> None:
    tune = sweep.results(*cells(0.3, adaptive="1" * 95 + "0" * 5))
    test = sweep.results(*cells(0.3, adaptive="1" * 5 + "0" * 95))

    [at] = confirm(choose(tune), test)

    assert (at.strategy, at.alternative) == ("single", "argo_fitted")
    assert at.certainty is Certainty.REFUTED
    assert at.gain.low > 0.0


def test_how_many_more_questions_would_tell_an_open_gain() -> None:
    results = sweep.results(*cells(0.1, never="10" * 50, single="1" * 12 + "0" + "10" * 43 + "1"))
    [at] = confirm(choose(results), results)

    assert at.certainty is Certainty.OPEN
    assert at.n_more is not None and at.n_more > 100


def test_three_sentences_say_what_to_do_what_it_is_worth_and_what_would_change_it() -> None:
    results = sweep.results(*cells(0.1), *cells(0.52))
    prices = confirm(choose(results), results)

    lines = sentences(advised_ranges(prices, results), prices, TEST, True, SHARES)

    assert lines[0] == (
        "Retrieve always (single) below 0.5 per retrieval, never retrieve (never) above 0.5."
    )
    assert "the utility of single minus that of never is +0.400 [" in lines[1]
    assert "Not settled at 0.52 (" in lines[2]


def test_a_range_names_every_alternative_that_its_gain_is_over() -> None:
    better = "1" * 96 + "0" * 4
    results = sweep.results(*cells(0.1, better), *cells(0.6, better))
    prices = confirm(choose(results), results)
    assert [(at.strategy, at.alternative) for at in prices] == [
        ("argo_fitted", "single"),
        ("argo_fitted", "never"),
    ]

    [only] = advised_ranges(prices, results)
    _, worth, _ = sentences([only], prices, TEST, True, SHARES)

    assert only.alternative == "single, then never"
    assert only.gain.mean == pytest.approx((0.96 - 0.9 + 0.1 + 0.96 - 0.4) / 2)
    assert "the utility of argo_fitted minus that of single, then never is" in worth


def test_a_policy_that_decides_by_the_question_earns_more_wherever_it_is_advised() -> None:
    """Also where it retrieves for so few questions that the advice is never to."""
    results = sweep.results(*cells(0.6, "1" * 60 + "0" * 40))
    prices = confirm(choose(results), results)

    _, worth, _ = sentences(advised_ranges(prices, results), prices, TEST, True, SHARES)

    assert prices[0].recommendation is Recommendation.NEVER
    assert "the utility of argo_fitted minus that of never" in worth
    assert "earns no more" not in worth


def test_what_was_not_compared_earns_nothing_that_is_known() -> None:
    results = sweep.results(*cells(0.1))
    prices = confirm(choose(results), results)

    _, worth, _ = sentences(advised_ranges(prices, results), prices, TEST, False, SHARES)

    assert worth.startswith(
        "Fixed plans alone were compared; on the 100 test questions the utility"
    )


def test_the_questions_chosen_on_confirm_nothing() -> None:
    results = sweep.results(*cells(0.1))
    prices = confirm(choose(results), results, are_others=False)
    [only] = advised_ranges(prices, results, are_others=False)
    tune = Questions("tune", 100, are_others=False)

    lines = sentences([only], prices, tune, True, SHARES)

    assert only.gain.low > 0.0
    assert {prices[0].certainty, only.certainty} == {Certainty.OPEN}
    assert prices[0].n_more is None
    assert lines[2].startswith("It was chosen on these very questions")
    assert lines[1].endswith(": not settled.")


def test_few_questions_that_are_all_alike_confirm_nothing() -> None:
    few = [
        sweep.cell(name, 0.06, "0" * 12, taken)
        for name, taken in (("never", ()), ("single", RETRIEVE))
    ]
    [at] = confirm(choose(sweep.results(*few)), sweep.results(*few))
    assert (at.gain.low, at.gain.high) == pytest.approx((0.06, 0.06))
    assert (at.certainty, at.n_more) == (Certainty.OPEN, None)

    many = [
        sweep.cell(name, 0.06, "0" * 200, taken)
        for name, taken in (("never", ()), ("single", RETRIEVE))
    ]
    [at] = confirm(choose(sweep.results(*many)), sweep.results(*many))
    assert at.certainty is Certainty.CONFIRMED


def test_what_some_questions_cost_confirms_nothing_while_answers_may_have_escaped() -> None:
    taken = [list(RETRIEVE)] * 50 + [[]] * 50
    cells = [sweep.cell("never", 0.02, "0" * 100), sweep.cell("single", 0.02, "0" * 100, taken)]

    [at] = confirm(choose(sweep.results(*cells)), sweep.results(*cells))

    assert at.gain.low > 0.0
    assert (at.certainty, at.n_more) == (Certainty.OPEN, 268)


@pytest.mark.parametrize(("n", "certainty"), [(100, Certainty.OPEN), (400, Certainty.SMALL)])
def test_costs_are_small_where_no_answers_that_matter_can_have_escaped(
    n: int, certainty: Certainty
) -> None:
    [gain] = resample([np.tile([0.002, 0.0], n // 2)])

    assert certainty_of(gain) is certainty


def test_a_gain_that_cannot_matter_asks_for_no_more_questions() -> None:
    never = "10" * 500
    results = sweep.results(*cells(0.02, "0" + never[1:], never, never))
    [at] = confirm(choose(results), results)
    small = Resampled(np.tile([0.005, -0.005], 200), np.linspace(-0.001, 0.001, 1000))
    assert certainty_of(small) is Certainty.SMALL
    assert certainty_of(small - small) is Certainty.OPEN
    assert at.strategy == "never"


def test_an_advice_that_no_price_settles_says_so_at_once() -> None:
    results = sweep.results(*cells(0.1, never="10" * 50, single="1" * 12 + "0" + "10" * 43 + "1"))
    prices = confirm(choose(results), results)

    first, *_ = sentences(advised_ranges(prices, results), prices, TEST, True, SHARES)

    assert first.endswith("(never) at every price looked at (0.1 per retrieval): not settled.")


def test_what_is_advised_at_every_price_is_said_once() -> None:
    results = sweep.results(*cells(0.6), *cells(0.8))
    prices = confirm(choose(results), results)
    [only] = advised_ranges(prices, results)
    ranges = [
        only.model_copy(update={"strategy": "argo_fitted", "high": 0.7, "prices": (0.6,)}),
        only.model_copy(update={"low": 0.7, "prices": (0.8,)}),
    ]

    first, *_ = sentences(ranges, prices, TEST, True, SHARES)

    assert first == (
        "Never retrieve at every price looked at (0.6 to 0.8 per retrieval): argo_fitted below "
        "0.7, never above 0.7."
    )
