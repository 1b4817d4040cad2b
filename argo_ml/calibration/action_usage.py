"""What actions use of the language model, on average over explored questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import fmean

from argo_ml.calibration.record import ActionUsage
from argo_ml.pricing import PROBE
from argo_ml.state import Outcome
from argo_ml.types import Usage

NAMES = ("prompt_tokens", "completion_tokens", "seconds")
Row = tuple[float, float, float]


def measure_action_usage(outcomes: Iterable[Outcome]) -> dict[str, ActionUsage]:
    """By action, and for a look at the answer, the mean of what every different one used.

    An action used its sub-question, its sub-answer, and what the answer after it takes more than
    the one before: passages make every later prompt longer. Retrievals of another size than the
    usual are left out.
    """
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    for outcome in outcomes:
        for name, place, used in _used(outcome):
            key = outcome.question_id, name, place
            if key not in seen:
                seen.add(key)
                rows[name].append(used)
    return {name: _mean(own) for name, own in rows.items()}


def _used(outcome: Outcome) -> Iterator[tuple[str, tuple[str, ...], Row]]:
    """What was used, with the actions that led to it."""
    if any(step.top_k is not None for step in outcome.steps):
        return
    actions = tuple(step.action.value for step in outcome.steps)
    answers = list(map(_row, outcome.answer_usages))
    for n_steps, answer in enumerate(answers):
        yield PROBE, actions[:n_steps], answer
    for n_steps, step in enumerate(map(_row, outcome.step_usages)):
        if n_steps + 1 < len(answers):
            before, after = answers[n_steps : n_steps + 2]
            changed = (own + new - old for own, new, old in zip(step, after, before, strict=True))
            yield actions[n_steps], actions[: n_steps + 1], _three(changed)


def _row(usage: Usage) -> Row:
    return float(usage.prompt_tokens), float(usage.completion_tokens), usage.seconds


def _three(values: Iterable[float]) -> Row:
    first, second, third = values
    return first, second, third


def _mean(rows: list[Row]) -> ActionUsage:
    means = {name: fmean(row[index] for row in rows) for index, name in enumerate(NAMES)}
    return ActionUsage(**means, n=len(rows))
