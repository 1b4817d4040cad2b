"""The gate on a score of the user's own, which was recorded with each question."""

from __future__ import annotations

from dataclasses import dataclass

from argo_ml.calibration.record import CalibrationQuestion
from argo_ml.config import suggest
from argo_ml.errors import ConfigError
from argo_ml.policies.base import NO_PROBES, Probe, State
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.base import Gate, SignalReading, make_gate
from argo_ml.policies.parameters import ScoreParameters
from argo_ml.types import Question

HOW = (
    "record it as outcomes.none.scores in every line that is replayed (docs/replay.md), and say it "
    "in scores of a request"
)


@dataclass(frozen=True, slots=True)
class RecordedScore:
    """The score called ``name``, whatever computed it; ``reads_answer`` says whether from the
    answer without retrieval."""

    name: str
    reads_answer: bool = False

    def required_probes(self, question: Question) -> frozenset[Probe]:
        return frozenset({Probe.ANSWER}) if self.reads_answer else NO_PROBES

    def read(self, state: State) -> SignalReading:
        if self.name not in state.observations.scores:
            raise ConfigError(f"question {state.question.id!r} has no score {self.name}; {HOW}")
        return SignalReading(state.observations.scores[self.name])


def score_gate(context: PolicyContext) -> Gate:
    """Raises `ConfigError` for a score that no question of the calibration has."""
    parameters = context.parameters_as(ScoreParameters)
    name = score_name(parameters.name, context.calibrated.questions)
    return make_gate(context, RecordedScore(name, parameters.reads_answer))


def score_name(wanted: str, questions: tuple[CalibrationQuestion, ...]) -> str:
    """The score that is wanted, without a wish the only one there is."""
    known = dict.fromkeys(name for question in questions for name in question.scores)
    if not known:
        raise ConfigError(f"score_gate: no question of the calibration has a score; {HOW}")
    if wanted in known or (not wanted and len(known) == 1):
        return wanted or next(iter(known))
    if not wanted:
        raise ConfigError(
            f"score_gate needs score_gate.name: the questions have the scores {', '.join(known)}"
        )
    raise ConfigError(
        f"score_gate.name={wanted}: no question of the calibration has that score"
        f"{suggest(wanted, known)}"
    )
