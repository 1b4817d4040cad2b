"""The state that a caller's steps have led to, as policies of recorded outcomes have seen it.

They looked at what all answers had on record: what was known of none after the same steps is left
out of what a caller says, and what was known of them has to be said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from argo_ml.calibration.features import FEATURES
from argo_ml.calibration.record import Calibration
from argo_ml.serving.questions import RequestError, TakenStep
from argo_ml.types import Action, Answer, Evidence, Passage, Step

Actions = tuple[str, ...]
SIMILARITY = ("best_similarity", "mean_similarity")
MENTIONS = ("answer_in_evidence", "others_in_evidence")
_PLACES = {name: place for place, name in enumerate(FEATURES)}


@dataclass(frozen=True, slots=True)
class Shown:
    """What was known of the calibration's answers after some steps: how sure they looked, the
    passages found and their similarity, and which steps found nothing."""

    sureness: bool = True
    passages: bool = True
    similarity: bool = True
    failures: bool = True


EVERYTHING = Shown()


def shown_after(calibration: Calibration) -> dict[Actions, Shown]:
    """By the actions that led to its explored answers."""
    rows: defaultdict[Actions, list[Sequence[float]]] = defaultdict(list)
    for node in calibration.nodes:
        rows[node.actions].append(node.features)
    return {actions: _shown(own) for actions, own in rows.items()}


def _shown(rows: Sequence[Sequence[float]]) -> Shown:
    def has_any(*names: str) -> bool:
        return any(row[_PLACES[name]] for row in rows for name in names)

    return Shown(
        sureness=has_any("largest_probability"),
        passages=has_any(*SIMILARITY, *MENTIONS),
        similarity=has_any(*SIMILARITY),
        failures=has_any("n_failed"),
    )


def made_steps(
    taken: Sequence[TakenStep], shown: Mapping[Actions, Shown], answers: Sequence[Answer | None]
) -> tuple[Step, ...]:
    """The steps of a state; ``answers`` are those that were looked at before each of them.

    Raises `RequestError` for a retrieval that does not say what policies look at.
    """
    actions = tuple(own.action for own in taken)
    return tuple(
        _step(number, own, shown.get(actions[: number + 1], EVERYTHING), answers[number])
        for number, own in enumerate(taken)
    )


def _step(number: int, taken: TakenStep, shown: Shown, before: Answer | None) -> Step:
    action = Action(taken.action)
    is_read = action is Action.RETRIEVE and shown.passages
    if is_read and taken.passages is None:
        raise RequestError(
            f"steps.{number} needs passages, which the policy looks at: what the retrieval found, "
            "[] for nothing"
        )
    return Step(
        sub_question="",
        action=action,
        sub_answer="",
        progress=0.0,
        cost=0.0,
        succeeded=taken.succeeded or not shown.failures,
        evidence=tuple(_evidence(number, taken, shown)) if is_read else (),
        before=before,
    )


def _evidence(number: int, taken: TakenStep, shown: Shown) -> list[Evidence]:
    found = taken.found
    if shown.similarity and any(own.similarity is None for own in found):
        raise RequestError(f"steps.{number}.passages: similarity is missing of one")
    return [
        Evidence(
            Passage(own.id or f"{number}-{place}", own.text, own.title, own.source),
            (own.similarity or 0.0) if shown.similarity else 0.0,
        )
        for place, own in enumerate(found)
    ]
