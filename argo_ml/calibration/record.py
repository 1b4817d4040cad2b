"""The artifact of a calibration: what was explored, and what was fitted on it.

Written as ``calibration.json``: plain values, read without running anything of it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator

from argo_ml.calibration.exploration import Exploration
from argo_ml.calibration.features import features
from argo_ml.calibration.fitted_models import ProbabilityModel
from argo_ml.calibration.node import Node, Part
from argo_ml.errors import ConfigError
from argo_ml.models.hidden_states import decode_state
from argo_ml.state import AnswerNow, Draft, Observations, State
from argo_ml.types import Answer, Question, TokenDetail

NO_HIDDEN_STATE = (
    "the calibration was made with hidden_states=true, and this answer has no hidden state; ask "
    "the model in this process with hidden_states=true, or make a calibration without"
)


def _as_array(given: object, validated: ValidatorFunctionWrapHandler) -> Sequence[float]:
    """An array of eight bytes a number, where a tuple takes 32; one that is there is shared."""
    return given if isinstance(given, array) else array("d", validated(given))


Vector = Annotated[
    Sequence[float], WrapValidator(_as_array), PlainSerializer(list, return_type=list[float])
]


class SeenAnswer(Part):
    """An `AnswerNow`; tokens are (text, log-probability, entropy, gap), and ``hidden_state`` is as
    `encode_state` writes it."""

    text: str
    choice: int | None
    parsed: bool
    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    tokens: tuple[tuple[str, float, float, float], ...] = ()
    hidden_state: str = ""


class SeenDraft(Part):
    text: str
    tokens: tuple[tuple[str, float, float, float], ...]


class CalibrationQuestion(Part):
    """A question, what was seen before any step, and whether the answers of single plans are right.

    ``outcomes`` are by plan: ``none``, ``retrieve`` (the cell's number of passages),
    ``retrieve_1``, ``retrieve_5`` (so many passages), and ``multi`` (retrievals up to the horizon).
    Of a replay they are all that is recorded, sequences of actions among them.
    """

    id: str
    text: str
    choices: tuple[str, ...]
    difficulty: str | None
    answer: SeenAnswer
    draft: SeenDraft | None = None
    samples: tuple[str, ...] = ()
    tentative: SeenDraft | None = None
    vector: Vector = ()
    outcomes: Mapping[str, bool]
    scores: Mapping[str, float] = Field({}, exclude_if=lambda own: not own)
    """The user's own, by name."""

    def state(self) -> State:
        """The state in which a policy meets the question, with everything looked at."""
        answer = self.answer
        final = Answer(answer.text, answer.choice, answer.parsed, answer.scores)
        state = decode_state(answer.hidden_state)
        now = AnswerNow(final, answer.probabilities, _tokens(answer.tokens), state)
        observations = Observations(
            answers=(now,),
            draft=_draft(self.draft),
            samples=self.samples,
            tentative=_draft(self.tentative),
            vector=self.vector,
            scores=self.scores,
        )
        return State(self.question, observations=observations)

    @cached_property
    def question(self) -> Question:
        return Question(id=self.id, text=self.text, choices=self.choices)


@dataclass(frozen=True, slots=True, eq=False)
class ProjectionArrays:
    """A `Projection` made ready: mean (dimensions,) and components (n, dimensions)."""

    mean: npt.NDArray[np.float64]
    components: npt.NDArray[np.float64]

    def project(self, vector: Sequence[float]) -> tuple[float, ...]:
        projected: list[float] = (self.components @ (np.asarray(vector) - self.mean)).tolist()
        return tuple(projected)


class Projection(Part):
    """The first principal components of the questions' vectors."""

    mean: tuple[float, ...] = ()
    components: tuple[tuple[float, ...], ...] = ()

    def project(self, vector: Sequence[float]) -> tuple[float, ...]:
        """The vector's projections; empty where no vectors were known when it was fitted."""
        if not self.components:
            return ()
        return self.arrays.project(vector)

    @cached_property
    def arrays(self) -> ProjectionArrays:
        return ProjectionArrays(np.asarray(self.mean), np.asarray(self.components))


class GainEstimate(Part):
    """A mean over questions with its 95 % interval over questions; ``n`` steps were seen."""

    mean: float
    low: float
    high: float
    n: int


class ActionUsage(Part):
    """Means over questions of what an action used of the language model, ``n`` times."""

    prompt_tokens: float
    completion_tokens: float
    seconds: float
    n: int


class Calibration(Part):
    """What exploring one split taught, and the models fitted on it.

    ``horizon`` is the number of steps explored, ``gains`` are delta_r, delta_p (in shares of right
    answers; of earlier versions in p-hat) and p_s as measured. ``spec`` and ``digests`` say what it
    is valid for.
    """

    schema_version: int = 1
    spec: Mapping[str, Any]
    digests: Mapping[str, str]
    horizon: int
    feature_names: tuple[str, ...]
    projection: Projection
    probability: ProbabilityModel
    gains: Mapping[str, GainEstimate]
    questions: tuple[CalibrationQuestion, ...]
    nodes: tuple[Node, ...]
    action_usage: Mapping[str, ActionUsage] = {}
    """What an action of either kind, and a look at the answer, used on average; empty in those of
    earlier versions, and where it was not recorded."""
    state_projection: Projection = Projection()
    """Of the model's hidden states at the end of the prompt; empty where they were not asked for,
    and in those of earlier versions."""
    metadata: tuple[Mapping[str, str], ...] = ()
    """By question, the fields of its metadata that part the questions into some segments; empty
    where there are none, and in those of earlier versions."""

    @cached_property
    def digest(self) -> str:
        """Digest of everything in it but readings of time: two calibrations of one digest give the
        same policies at prices in shares of a right answer."""
        # Without what earlier versions did not have it is what it always was.
        left_out: dict[str, Any] = {"action_usage": True}
        if not self.metadata:
            left_out["metadata"] = True
        if not self.has_hidden_states:
            left_out["state_projection"] = True
            left_out["questions"] = {"__all__": {"answer": {"hidden_state"}}}
        if all(node.gold_probability is None for node in self.nodes):
            left_out["nodes"] = {"__all__": {"gold_probability"}}
        digest = hashlib.sha256()
        for piece in self._json(left_out):
            digest.update(piece.encode())
        return digest.hexdigest()[:16]

    def _json(self, left_out: Mapping[str, Any]) -> Iterator[str]:
        """What `model_dump_json` gives without what is ``left_out``, piece by piece: thousands of
        questions make hundreds of megabytes."""
        before = "{"
        for name in type(self).model_fields:
            exclude = left_out.get(name)
            if exclude is True:
                continue
            yield f'{before}"{name}":'
            if name in ("questions", "nodes"):
                yield from _json_list(getattr(self, name), (exclude or {}).get("__all__"))
            else:
                own = self.model_dump_json(include={name})
                yield own[len(f'{{"{name}":') : -1]
            before = ","
        yield "}"

    @cached_property
    def exploration(self) -> Exploration:
        """The explored nodes, and what the policies of all prices make of them.

        Sweeps by one calibration in one process share it, however often that is read.
        """
        return _exploration(self.nodes)

    @property
    def has_hidden_states(self) -> bool:
        return bool(self.state_projection.components)

    @property
    def optional_features(self) -> tuple[int, ...]:
        """Sizes of the groups of features that stand last: projections of the question's embedding,
        and of the model's hidden state."""
        return len(self.projection.components), len(self.state_projection.components)

    def inputs(self, state: State) -> tuple[float, ...]:
        """Features of a state whose answer was looked at, then the projections of its question and
        of the model's hidden state."""
        projected = self.projection.project(state.observations.vector)
        hidden = self._hidden(state)
        n_own = len(self.feature_names) - len(projected) - len(hidden)
        return (*features(state, n_own), *projected, *hidden)

    def _hidden(self, state: State) -> tuple[float, ...]:
        """Raises `ConfigError` for an answer without the hidden state that is read here."""
        if not self.has_hidden_states:
            return ()
        answer = state.observations.answer
        if answer is None or not answer.hidden_state:
            raise ConfigError(NO_HIDDEN_STATE)
        return self.state_projection.project(answer.hidden_state)

    def confidence(self, state: State, inputs: Sequence[float] | None = None) -> float:
        """p-hat of a state whose answer was looked at, by its ``inputs`` where they are known."""
        return self.probability.probability(self.inputs(state) if inputs is None else inputs)

    @property
    def asked_difficulty(self) -> str:
        """What the questions were chosen by; empty where none of them has a difficulty."""
        has_any = any(question.difficulty for question in self.questions)
        return str(self.spec.get("difficulty", "")) if has_any else ""

    @property
    def question_ids(self) -> frozenset[str]:
        return frozenset(question.id for question in self.questions)


def _json_list(parts: Sequence[Part], exclude: set[str] | None) -> Iterator[str]:
    for number, part in enumerate(parts):
        yield f"{',' if number else '['}{part.model_dump_json(exclude=exclude)}"
    yield "]" if parts else "[]"


def _tokens(rows: Sequence[tuple[str, float, float, float]]) -> tuple[TokenDetail, ...]:
    return tuple(TokenDetail(*row) for row in rows)


def _draft(draft: SeenDraft | None) -> Draft | None:
    return None if draft is None else Draft(draft.text, _tokens(draft.tokens))


_exploration = lru_cache(maxsize=4)(Exploration)
