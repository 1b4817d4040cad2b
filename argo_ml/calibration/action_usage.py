"""What actions use of the language model, on average over explored questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from argo_ml.calibration.record import ActionUsage
from argo_ml.pricing import PROBE
from argo_ml.state import Outcome
from argo_ml.types import Usage


def measure_action_usage(outcomes: Iterable[Outcome]) -> dict[str, ActionUsage]:
    """By action, and for a look at the answer, the mean of what every different one used.

    An action used its sub-question, its sub-answer, and what the answer after it takes more than
    the one before: passages make every later prompt longer. Retrievals of another size than the
    usual are left out.
    """
    rows: defaultdict[str, list[Usage]] = defaultdict(list)
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    for outcome in outcomes:
        for name, place, used in _used(outcome):
            key = outcome.question_id, name, place
            if key not in seen:
                seen.add(key)
                rows[name].append(used)
    return {name: mean_usage(own) for name, own in rows.items()}


def _used(outcome: Outcome) -> Iterator[tuple[str, tuple[str, ...], Usage]]:
    """What was used, with the actions that led to it."""
    if any(step.top_k is not None for step in outcome.steps):
        return
    actions = tuple(step.action.value for step in outcome.steps)
    answers = outcome.answer_usages
    for n_steps, answer in enumerate(answers):
        yield PROBE, actions[:n_steps], answer
    for n_steps, (step, before, after) in enumerate(
        zip(outcome.step_usages, answers, answers[1:], strict=False)
    ):
        yield actions[n_steps], actions[: n_steps + 1], less(step + after, before)


def less(usage: Usage, other: Usage) -> Usage:
    """The tokens and seconds of ``usage`` beyond those of ``other``."""
    return Usage(
        prompt_tokens=usage.prompt_tokens - other.prompt_tokens,
        completion_tokens=usage.completion_tokens - other.completion_tokens,
        seconds=usage.seconds - other.seconds,
    )


def mean_usage(rows: Sequence[Usage]) -> ActionUsage:
    """The means over what an action used every time."""
    return ActionUsage(
        prompt_tokens=fmean(row.prompt_tokens for row in rows),
        completion_tokens=fmean(row.completion_tokens for row in rows),
        seconds=fmean(row.seconds for row in rows),
        n=len(rows),
    )
