"""The answer of a sweep in words, a line per sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from argo_ml.evaluation.record import BreakEven, Headline, PriceRange
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.results.records import Results, Stopping
from argo_ml.results.unit import SHARES, Unit, unit_of
from argo_ml.statistics.intervals import Estimate, interval_sign, shows_spread
from argo_ml.statistics.sequential import Sign

GLOSSES = {NEVER: "no retrieval", SINGLE: "one retrieval"}


def answer_lines(
    break_evens: Sequence[BreakEven],
    ranges: Sequence[PriceRange],
    headline: Headline | None,
    results: Results,
) -> tuple[str, ...]:
    """First the break-even prices, then what to use at which price, then, where a strategy ran that
    looks at the question, whether that pays."""
    n, prices = len(results.cells[0].questions), results.prices
    unit = unit_of(results.spec)
    lines = [paying(break_even, n, prices, unit) for break_even in break_evens]
    if not break_evens:
        lines.append(_unknown(results))
    if ranges:
        lines.append(usage(ranges, unit))
    if headline is not None:
        lines.append(deciding(headline, unit))
    return tuple(lines)


def break_even_value(break_even: BreakEven, unit: Unit = SHARES) -> str:
    """The break-even price with its interval, as every place writes it."""
    return unit.interval(break_even.price)


def paying(break_even: BreakEven, n: int, prices: Sequence[float], unit: Unit = SHARES) -> str:
    """Below which price of a retrieval the strategy that retrieves more pays."""
    return (
        f"Break-even price of {_step(break_even, unit)}: {break_even_value(break_even, unit)} per "
        f"retrieval{_verdict_on(break_even.price, n, prices, unit)}. "
        f"Accuracy {break_even.accuracy_more:.3f} against {break_even.accuracy_fewer:.3f}: "
        f"{_percent(break_even.corrected)} of the answers corrected, "
        f"{_percent(break_even.spoiled)} spoiled."
    )


def _step(break_even: BreakEven, unit: Unit) -> str:
    """``retrieving once (single) instead of not at all (never)``"""
    fewer = "not at all" if break_even.fewer == NEVER else "once"
    more = "once" if break_even.more == SINGLE else f"{break_even.retrievals_more:.1f} times"
    at = break_even.acts_as_at
    where = "" if at is None else f" as at {unit.at_price(at)}"
    return f"retrieving {more} ({break_even.more}{where}) instead of {fewer} ({break_even.fewer})"


def _verdict_on(price: Estimate, n: int, prices: Sequence[float], unit: Unit) -> str:
    if not shows_spread(price.low, price.high):
        return f"; the same on all of {counted(n, 'question')}, which settles nothing"
    verdict = "pays below it and not above" if price.mean > 0.0 else "pays at no price"
    return f", so that it {verdict}{_certainty(price, n, prices, unit)}"


def _certainty(price: Estimate, n: int, prices: Sequence[float], unit: Unit) -> str:
    low, high = min(prices), max(prices)
    questions = counted(n, "question")
    if price.low <= 0.0 <= price.high:
        return f"; the interval includes 0: {questions} do not settle whether it pays at any price"
    if price.low <= low and high <= price.high:
        return f"; the interval covers all swept prices: {questions} settle it at none of them"
    if price.mean > high:
        return f"; all swept prices ({_span(low, high, unit)}) lie below it"
    if 0.0 < price.mean < low:
        return f"; all swept prices ({_span(low, high, unit)}) lie above it"
    return ""


def usage(ranges: Sequence[PriceRange], unit: Unit = SHARES) -> str:
    """«use X below c, Y above», of the strategies that treat all questions alike."""
    swept = _span(ranges[0].low, ranges[-1].high, unit)
    if len(ranges) == 1:
        return (
            f"Use {_glossed(ranges[0].strategy)} at every swept price ({swept}): the fixed "
            "strategy of highest mean utility."
        )
    parts = [f"{_glossed(ranges[0].strategy)} below {_end(ranges[0], unit)}"]
    parts += [
        f"{_glossed(own.strategy)} from {_end(before, unit)} to {_end(own, unit)}"
        for before, own in pairwise(ranges[:-1])
    ]
    parts.append(f"{_glossed(ranges[-1].strategy)} above")
    return f"Use {', '.join(parts)}: the fixed strategies of highest mean utility ({swept} swept)."


def _glossed(strategy: str) -> str:
    """The strategy, told apart from the words of the sentence."""
    gloss = GLOSSES.get(strategy)
    return f"{strategy} ({gloss})" if gloss else strategy


def _end(own: PriceRange, unit: Unit) -> str:
    high = unit.estimated(own.high)
    return high if own.is_exact else f"about {high}"


def _span(low: float, high: float, unit: Unit) -> str:
    return f"{unit.price(low)} to {unit.price(high)}" if low < high else unit.price(low)


def _unknown(results: Results) -> str:
    if float(results.spec["mu"]) <= 0.0:
        return "There is no break-even price: mu is 0, so that prices weigh nothing."
    missing = [name for name in (NEVER, SINGLE) if name not in results.strategies]
    if not missing:
        return "There is no break-even price: single retrieved no more than never."
    return (
        f"The break-even price of retrieving is not known: {' and '.join(missing)} did not run; "
        "name both in strategies."
    )


def deciding(headline: Headline, unit: Unit = SHARES) -> str:
    """Whether deciding by the question beats the best fixed strategy."""
    prices = counted(headline.n_prices, "price")
    gain = headline.gain
    if headline.is_identical:
        is_free = headline.changes_nothing
        return (
            f"Deciding by the question changes nothing{'' if is_free else ' but the cost'}: "
            f"{headline.strategy} acts and answers like the best fixed strategy on every question, "
            f"at {prices}{'' if is_free else _costing(gain, unit)}."
        )
    return (
        f"{_verdict(headline)}: the utility of {headline.strategy}{_choice(headline)} minus that "
        f"of the best fixed strategy is {gain.mean:+z.3f} on average over {prices}, "
        f"{_interval(gain)}{_in_unit(gain, unit)}{_unseen(headline)}; "
        f"{_at_single_prices(headline)}."
    )


def _costing(gain: Estimate, unit: Unit) -> str:
    more = "more" if gain.mean < 0.0 else "less"
    return f", and costs {unit.price(abs(gain.mean))} {more} per question"


def _interval(gain: Estimate) -> str:
    if not shows_spread(gain.low, gain.high):
        return "the same on every question, which gives no interval"
    return f"95 % interval {gain.low:+z.3f} to {gain.high:+z.3f}"


def _unseen(headline: Headline) -> str:
    """Why an interval that leaves out 0 does not settle it."""
    if headline.sign or not interval_sign(headline.gain.low, headline.gain.high):
        return ""
    return ", which answers that no question has shown yet may outweigh"


def _in_unit(gain: Estimate, unit: Unit) -> str:
    return f", which is {unit.gain(gain)} per question" if unit.is_own else ""


def _at_single_prices(headline: Headline) -> str:
    if not headline.n_above and not headline.n_below:
        return "at no single price is it told from 0"
    return (
        "at a single price it is told to lie above 0 at "
        f"{headline.n_above} and below 0 at {headline.n_below} of them"
    )


def _verdict(headline: Headline) -> str:
    if not headline.sign:
        return "Whether deciding by the question pays is not settled"
    return f"Deciding by the question {'pays' if headline.sign > 0 else 'loses'}"


def _choice(headline: Headline) -> str:
    n_candidates = len(headline.candidates)
    if n_candidates == 1:
        return ""
    others = [name for name in headline.candidates if name != headline.strategy]
    if n_candidates == 2:
        return f" (on these questions better than {others[0]}, and therefore chosen)"
    return f" (on these questions the best of {n_candidates} such strategies, and therefore chosen)"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def stopping_lines(stopping: Stopping | None, unit: Unit = SHARES) -> Iterator[str]:
    """Where a sweep that stops once decided has stopped, and what it knows at which prices."""
    if stopping is None:
        return
    n_asked, n_available = stopping.n_asked, stopping.n_available
    n_open = sum(verdict.sign == Sign.OPEN.value for verdict in stopping.verdicts)
    start = f"Stopped after {n_asked:,} of {n_available:,} questions, as all of this is decided"
    if n_open:
        of = counted(len(stopping.verdicts), "comparison")
        start = f"All {n_asked:,} questions were asked, which leaves {n_open} of {of} open"
    yield (
        f"{start}: {'; '.join(_by_sign(stopping, unit))}. That any of this is wrong has a chance "
        f"of at most {100 * stopping.level:g} %, at all prices and however often one looks; the "
        "other intervals and p-values here take the number of questions as fixed."
    )


def _by_sign(stopping: Stopping, unit: Unit) -> Iterator[str]:
    """``single minus never is above 0 at c_r = 0.02, 0.06``"""
    meanings = {
        Sign.ABOVE: "above 0",
        Sign.BELOW: "below 0",
        Sign.SMALL: f"nearer to 0 than {stopping.margin:g}",
        Sign.OPEN: "open",
    }
    pairs = dict.fromkeys((own.strategy, own.baselines) for own in stopping.verdicts)
    for strategy, baselines in pairs:
        other = baselines[0] if len(baselines) == 1 else "the best fixed strategy"
        for sign, meaning in meanings.items():
            prices = [
                own.retrieval_cost
                for own in stopping.verdicts
                if (own.strategy, own.baselines, own.sign) == (strategy, baselines, sign.value)
            ]
            if prices:
                yield f"{strategy} minus {other} is {meaning} at {unit.at_price(*prices)}"
