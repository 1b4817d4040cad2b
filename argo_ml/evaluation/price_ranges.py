"""Which fixed strategy is the most useful at which prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

from argo_ml.evaluation.judged_cells import JudgedCell, acts_alike_at_all_prices, by_strategy
from argo_ml.evaluation.record import PriceRange
from argo_ml.statistics.intervals import ROUNDING, best_of

Segment = Mapping[str, tuple[float, float]]
"""By strategy its utility at both ends of a range of prices, a straight line between them."""


def price_ranges(cells: Sequence[JudgedCell]) -> tuple[PriceRange, ...]:
    """The best fixed strategy by mean utility, from the lowest swept price to the highest.

    Only strategies that ran at every price are compared.
    The utility of a strategy that acts alike at all prices is a straight line, so that the prices
    at which two such lines cross are exact. Others are taken as straight between swept prices.
    """
    ran = by_strategy([cell for cell in cells if cell.is_fixed])
    n_prices = len({cell.price for own in ran.values() for cell in own})
    fixed = {strategy: own for strategy, own in ran.items() if len(own) == n_prices}
    lines = {
        strategy: sorted((cell.price, cell.utility.mean) for cell in own)
        for strategy, own in fixed.items()
    }
    exact = {
        strategy
        for strategy, own in fixed.items()
        if acts_alike_at_all_prices([cell.result for cell in own])
    }
    ranges = best_ranges(lines)
    return tuple(
        own.model_copy(update={"is_exact": not after or {own.strategy, *after} <= exact})
        for own, after in zip(ranges, [*([one.strategy] for one in ranges[1:]), []], strict=False)
    )


def best_ranges(lines: Mapping[str, Sequence[tuple[float, float]]]) -> tuple[PriceRange, ...]:
    """The upper envelope of utilities given as (price, utility) at the same ascending prices.

    Of equal ones the strategy of the range below goes on, else the first.
    """
    if not lines:
        return ()
    prices = [price for price, _ in next(iter(lines.values()))]
    spans = list(pairwise(prices)) or [(prices[0], prices[0])]
    ranges: list[PriceRange] = []
    for index, (low, high) in enumerate(spans):
        last = min(index + 1, len(prices) - 1)
        segment = {name: (line[index][1], line[last][1]) for name, line in lines.items()}
        for begin, end in pairwise(_cuts(segment)):
            before = ranges[-1].strategy if ranges else None
            best = _best(segment, (begin + end) / 2, before)
            start, stop = (low + share * (high - low) for share in (begin, end))
            if best == before:
                start = ranges.pop().low
            ranges.append(PriceRange(strategy=best, low=start, high=stop))
    return tuple(ranges)


def _cuts(segment: Segment) -> list[float]:
    """Both ends and where two lines cross between them, as shares of the segment."""
    return [0.0, *sorted(set(_crossings(segment))), 1.0]


def _crossings(segment: Segment) -> Iterator[float]:
    for (first_low, first_high), (second_low, second_high) in combinations(segment.values(), 2):
        low, high = first_low - second_low, first_high - second_high
        if low * high < 0.0 and min(abs(low), abs(high)) > ROUNDING:
            yield low / (low - high)


def _best(segment: Segment, share: float, before: str | None) -> str:
    utilities = {name: low + share * (high - low) for name, (low, high) in segment.items()}
    return best_of(utilities, before)
