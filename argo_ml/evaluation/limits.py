"""What a sweep's questions, model and decomposer can tell at all, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from argo_ml.evaluation.further import rounded
from argo_ml.evaluation.judged_cells import JudgedCell
from argo_ml.evaluation.promises import promise_lines
from argo_ml.evaluation.sentences import counted, stopping_lines
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.results.question_rows import action_counts, row_flags, row_values
from argo_ml.results.records import CellResult, Results
from argo_ml.results.unit import Unit, unit_of
from argo_ml.statistics.intervals import Estimate, wilson
from argo_ml.statistics.power import detectable_difference, pairs_needed
from argo_ml.types import Action

GUESSES = ("random", "longest_choice")
"""The floors that need no look at the gold answers, unlike the majority position."""
_GUESS_NAMES = {
    "random": "a random choice",
    "longest_choice": "always the longest choice",
}
HARDLY_EVER = 0.05
"""Accuracy on open questions at or below which a model is said to fail at them."""
MOST = 0.5
FINE = 0.05
"""The difference of accuracy whose number of questions is named."""


def limits(results: Results, cells: Sequence[JudgedCell]) -> tuple[str, ...]:
    """The sentences that apply: where it stopped, the guessing floor, the decomposer, and what n
    can tell."""
    unit = unit_of(results.spec)
    return (
        *stopping_lines(results.stopping, unit),
        *promise_lines(results, cells),
        *_floor(results.floors, cells, unit),
        *_decomposer([cell.result for cell in cells if not cell.is_ceiling]),
        *_power(cells),
    )


def _floor(floors: Mapping[str, float], cells: Sequence[JudgedCell], unit: Unit) -> Iterator[str]:
    methods = [cell for cell in cells if not cell.is_ceiling]
    if not methods:
        return
    # Of equals one that is the same at every price.
    best = max(methods, key=lambda cell: (cell.correct.mean, cell.is_fixed))
    accuracy = _accuracy(best.result)
    shown = (
        f"the best, {_named(best, unit)}, answers {accuracy.mean:.3f} right "
        f"[{accuracy.low:.2f}, {accuracy.high:.2f}]"
    )
    guess = max(GUESSES, key=lambda name: floors.get(name, 0.0))
    floor = floors.get(guess, 0.0)
    if floor > 0.0:
        yield from _beside_guessing(accuracy, shown, f"{floor:.3f} ({_GUESS_NAMES[guess]})", floor)
    elif accuracy.high <= HARDLY_EVER:
        yield f"This model cannot answer these, with retrieval or without: {shown}."
    elif accuracy.mean <= HARDLY_EVER:
        yield (
            "Nothing shows that this model can answer these, with retrieval or without: "
            f"{shown}; {counted(len(best.result.questions), 'question')} settle no more."
        )


def _beside_guessing(accuracy: Estimate, shown: str, guessing: str, floor: float) -> Iterator[str]:
    if accuracy.high <= floor:
        yield f"This model cannot answer these: {shown}, which is not above guessing, {guessing}."
    elif accuracy.low <= floor:
        yield (
            f"Nothing shows that this model can answer these: {shown}, and the interval holds "
            f"what guessing gets, {guessing}."
        )


def _named(cell: JudgedCell, unit: Unit) -> str:
    """Its strategy, with the price where that changes what it does."""
    if cell.is_fixed:
        return cell.strategy
    return f"{cell.strategy} at {unit.at_price(cell.price)}"


def _accuracy(cell: CellResult) -> Estimate:
    n_right, n = sum(row_flags(cell.questions, "correct")), len(cell.questions)
    interval = wilson(n_right, n)
    return Estimate(mean=n_right / n, low=interval.low, high=interval.high)


def _decomposer(cells: Sequence[CellResult]) -> Iterator[str]:
    n_calls, n_fallbacks = _total(cells, "decomposer_calls"), _total(cells, "decomposer_fallbacks")
    if n_calls and n_fallbacks > MOST * n_calls:
        yield (
            f"In {100 * n_fallbacks / n_calls:.0f} % of its calls the decomposer fell back to the "
            "question itself, so that the same passages are retrieved and paid for again and "
            f"again{_repeated(cells)}."
        )


def _total(cells: Sequence[CellResult], name: str) -> int:
    return sum(value for cell in cells for (value,) in row_values(cell.questions, name))


def _repeated(cells: Sequence[CellResult]) -> str:
    """Counted in results that say so."""
    n_repeated = _total(cells, "repeated_retrievals")
    n = sum(int(action_counts(cell.questions, Action.RETRIEVE).sum()) for cell in cells)
    return f" ({n_repeated} of {n} retrievals repeat an earlier one)" if n_repeated else ""


def _power(cells: Sequence[JudgedCell]) -> Iterator[str]:
    pair = _compared(cells)
    if pair is None:
        return
    first, second = pair
    differences = list(first.correct.values - second.correct.values)
    n, names = counted(len(differences), "question"), f"{first.strategy} and {second.strategy}"
    smallest, needed = detectable_difference(differences), pairs_needed(differences, FINE)
    if smallest is None or needed is None:
        yield (
            f"What {n} can tell is not known: the difference of {names} is the same on all of "
            "them, which shows no spread."
        )
        return
    yield (
        f"What {n} can tell: differences of accuracy between {names} from about {smallest:.2f} on "
        f"(80 % power at the 5 % level, by their spread here); {FINE:g} would take about "
        f"{rounded(needed)}."
    )


def _compared(cells: Sequence[JudgedCell]) -> tuple[JudgedCell, JudgedCell] | None:
    """One retrieval and none; where they did not run, the first two methods that differ."""
    by_name: dict[str, JudgedCell] = {}
    for cell in cells:
        if not cell.is_ceiling:
            by_name.setdefault(cell.strategy, cell)
    if NEVER in by_name and SINGLE in by_name:
        return by_name[SINGLE], by_name[NEVER]
    pairs = list(combinations(by_name.values(), 2))
    differing = (pair for pair in pairs if any(pair[0].correct.values != pair[1].correct.values))
    return next(differing, pairs[0] if pairs else None)
