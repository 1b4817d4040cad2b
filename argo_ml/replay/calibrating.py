"""From recorded questions to states, and to the calibration that policies are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import PrivateAttr

from argo_ml.calibration.building import ROOT, Explored, Visit, build_calibration
from argo_ml.calibration.plans import NONE
from argo_ml.calibration.record import Calibration
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.results.text_signals import MEANS
from argo_ml.state import AnswerNow, Draft, Observations, State

HORIZON = 1
"""Steps that recorded outcomes are of."""

Vectors = Mapping[str, tuple[float, ...]]
"""Embeddings by the text of the question."""


@dataclass(frozen=True)
class ReplayState:
    """A recorded question in the state in which a policy decides about it, everything probed."""

    recorded: RecordedQuestion
    state: State

    @cached_property
    def explored(self) -> Explored:
        outcomes = {plan: outcome.correct for plan, outcome in self.recorded.outcomes.items()}
        visits = {ROOT: Visit(self.state, outcomes[NONE])}
        return Explored(self.recorded.question, visits, outcomes)


def make_replay_state(
    recorded: RecordedQuestion, means: AbstractSet[str], vectors: Vectors
) -> ReplayState:
    """The state before any step; ``means`` are the signals of the answer that are used."""
    question, none = recorded.question, recorded.outcomes[NONE]
    # Only of a choice that was written the number of tokens matters, to its whole probability.
    n_tokens = (recorded.signals.n_tokens or 1) if question.choices else 1
    tokens = () if none.probabilities else recorded.signals.tokens(means, n_tokens)
    observations = Observations(
        answers=(AnswerNow(none.answer, none.probabilities, tokens),),
        draft=None if question.choices else Draft("", recorded.draft.tokens(frozenset(MEANS))),
        samples=recorded.samples,
        vector=vectors.get(question.text, ()),
    )
    return ReplayState(recorded, State(question, observations=observations))


class RecordedCalibration(Calibration):
    """A calibration made of recorded outcomes; ``recorded`` is p-hat by question where known.

    Policies ask it only of questions before any step, so that it remembers them by their ids.
    """

    recorded: Mapping[str, float] = {}
    _inputs: dict[str, tuple[float, ...]] = PrivateAttr(default_factory=dict)
    _confidences: dict[str, float] = PrivateAttr(default_factory=dict)

    def inputs(self, state: State) -> tuple[float, ...]:
        key = _key(state)
        if key not in self._inputs:
            self._inputs[key] = super().inputs(state)
        return self._inputs[key]

    def confidence(self, state: State) -> float:
        key = _key(state)
        if key in self.recorded:
            return self.recorded[key]
        if key not in self._confidences:
            self._confidences[key] = super().confidence(state)
        return self._confidences[key]


def _key(state: State) -> str:
    if state.steps:
        raise ValueError(f"question {state.question.id!r}: nothing is recorded of later steps")
    return state.question.id


def calibrate_on_records(
    calibrating: Sequence[ReplayState], tested: Sequence[ReplayState], spec: Mapping[str, Any]
) -> RecordedCalibration:
    """Fit what is fitted; p-hat is as recorded where every question has it.

    Raises `DataError` for too few questions.
    """
    built = build_calibration([state.explored for state in calibrating], spec, {}, HORIZON)
    recorded = {
        state.recorded.id: state.recorded.confidence
        for state in (*calibrating, *tested)
        if state.recorded.confidence is not None
    }
    ids = [state.recorded.id for state in calibrating]
    nodes = tuple(
        node.model_copy(update={"confidence": recorded.get(ids[node.question], node.confidence)})
        for node in built.nodes
    )
    values = {name: getattr(built, name) for name in Calibration.model_fields}
    return RecordedCalibration(**{**values, "nodes": nodes, "recorded": recorded})
