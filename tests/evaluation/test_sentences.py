from __future__ import annotations

from argo_ml.evaluation.record import BreakEven, PriceRange
from argo_ml.evaluation.sentences import paying, usage
from argo_ml.results.unit import Unit
from argo_ml.statistics.intervals import Estimate

SWEPT = (0.02, 0.2)


def break_even(mean: float, low: float, high: float, **changes: object) -> BreakEven:
    return BreakEven(
        more="single",
        fewer="never",
        price=Estimate(mean=mean, low=low, high=high),
        accuracy_more=0.46,
        accuracy_fewer=0.33,
        retrievals_more=1.0,
        corrected=0.21,
        spoiled=0.08,
    ).model_copy(update=changes)


def test_break_even_price_stands_first() -> None:
    assert paying(break_even(0.13, 0.05, 0.19), 300, SWEPT) == (
        "Break-even price of retrieving once (single) instead of not at all (never): 0.130 "
        "[0.050, 0.190] per retrieval, so that it pays below it and not above. Accuracy 0.460 "
        "against 0.330: 21.0 % of the answers corrected, 8.0 % spoiled."
    )


def test_interval_that_includes_0_is_said_to() -> None:
    assert (
        "; the interval includes 0: 12 questions do not settle whether it pays at any price."
    ) in paying(break_even(0.13, -0.05, 0.3), 12, SWEPT)


def test_prices_that_never_cross_are_said_to() -> None:
    assert "; all swept prices (0.02 to 0.2) lie below it." in paying(
        break_even(0.5, 0.3, 0.7), 300, SWEPT
    )
    assert "; all swept prices (0.02 to 0.2) lie above it." in paying(
        break_even(0.01, 0.005, 0.015), 300, SWEPT
    )
    assert "; the interval covers all swept prices: 40 questions settle it at none of them." in (
        paying(break_even(0.15, 0.01, 0.3), 40, SWEPT)
    )


def test_retrieving_that_harms_pays_at_no_price() -> None:
    text = paying(break_even(-0.1, -0.2, -0.05), 300, SWEPT)

    assert "-0.100 [-0.200, -0.050] per retrieval, so that it pays at no price. Acc" in text


def test_prices_far_below_a_right_answer_are_no_zero() -> None:
    swept = (0.0001, 0.001)
    ranges = [
        PriceRange(strategy="single", low=0.0001, high=0.00042),
        PriceRange(strategy="never", low=0.00042, high=0.001),
    ]

    assert ": 0.00042 [0.00010, 0.00090] per retrieval" in paying(
        break_even(0.00042, 0.0001, 0.0009), 300, swept
    )
    assert "single (one retrieval) below 0.00042, never" in usage(ranges)


def test_every_sentence_has_a_large_price_in_the_same_digits() -> None:
    tokens = Unit(factor=2000.0, name="tokens", is_own=True)
    ranges = [
        PriceRange(strategy="single", low=0.5, high=0.6254),
        PriceRange(strategy="never", low=0.6254, high=0.9),
    ]

    assert ": 1,250 tokens [820, 1,620] per retrieval" in paying(
        break_even(0.6254, 0.41, 0.8117), 300, (0.5, 0.9), tokens
    )
    assert "below 1,250 tokens, never (no retrieval) above" in usage(ranges, tokens)
    assert "(1,000 tokens to 1,800 tokens swept)" in usage(ranges, tokens)


def test_no_spread_is_no_certainty() -> None:
    assert (
        "0.000 [no interval: no spread] per retrieval; the same on all of 10 questions, which "
        "settles nothing." in paying(break_even(0.0, 0.0, 0.0), 10, SWEPT)
    )


def test_retrieving_always_is_counted() -> None:
    found = break_even(0.02, 0.01, 0.03, more="always_retrieve", fewer="single")
    counted = found.model_copy(update={"retrievals_more": 3.94, "acts_as_at": 0.02})

    assert paying(counted, 300, SWEPT).startswith(
        "Break-even price of retrieving 3.9 times (always_retrieve as at c_r = 0.02) instead of "
        "once (single): 0.020"
    )


def test_ranges_say_what_to_use_where() -> None:
    ranges = [
        PriceRange(strategy="always_retrieve", low=0.02, high=0.05, is_exact=False),
        PriceRange(strategy="single", low=0.05, high=0.13),
        PriceRange(strategy="never", low=0.13, high=0.2),
    ]

    assert usage(ranges) == (
        "Use always_retrieve below about 0.050, single (one retrieval) from about 0.050 to 0.130, "
        "never (no retrieval) above: the fixed strategies of highest mean utility (0.02 to 0.2 "
        "swept)."
    )
    assert usage(ranges[1:2]) == (
        "Use single (one retrieval) at every swept price (0.05 to 0.13): the fixed strategy of "
        "highest mean utility."
    )
