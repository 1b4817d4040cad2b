"""Reads a file of outcomes: JSON Lines, one question a line (docs/replay.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError

from argo_ml.calibration.plans import NONE, actions_of, after
from argo_ml.config import GradingFields, suggest
from argo_ml.datasets.answers import Grade, grade
from argo_ml.datasets.grading import scorer_named
from argo_ml.datasets.jsonl import parse_question
from argo_ml.datasets.lines import LineError, check_finite, parse_lines, shown
from argo_ml.errors import DataError
from argo_ml.replay.recorded import UNRECORDED, Course, RecordedOutcome, RecordedQuestion
from argo_ml.results.text_signals import Fields, TextSignals
from argo_ml.types import Action, Answer, Evidence, Passage, Question, Usage

SUM_TOLERANCE = 0.01
"""By how much probabilities may miss a sum of 1: what rounding to a few digits does."""
_UNCOMPARED = Grade(correct=False, exact_match=0.0, token_f1=0.0, contains=0.0)
"""Of an answer that nothing is known to compare with but whether it is right."""

AS_SHOWN = "as docs/replay.md shows"
WAYS_OUT: Mapping[str, str] = {
    "bool_type": "write true or false",
    "string_type": "write a text in quotes",
    "int_type": "write a whole number, without quotes",
    "float_type": "write a number, without quotes",
    "list_type": "write a list in square brackets",
    "dict_type": "write an object in braces",
}
"""What would do in place of a value of another type, by the type of pydantic's error; the messages
of all others say it."""

Probability = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
USED = ("prompt_tokens", "completion_tokens", "seconds")
"""Fields of an outcome that say what the answer took."""
OF_QUESTION = ("id", "question", "choices", "golden_answers", "metadata")
"""Fields of a line that a file of questions has as well."""


def _as_truth(value: object) -> object:
    """1 and 0, as tables have them, are true and false."""
    return bool(value) if type(value) is int and value in (0, 1) else value


FieldsType = TypeVar("FieldsType", bound=Fields)
Truth = Annotated[bool, BeforeValidator(_as_truth)]


class OutcomeFields(Fields):
    """An answer under some plan; ``correct`` says whether it is right where that is known."""

    answer: Any
    correct: Truth | None = None
    probabilities: list[Probability] | None = None


class AnswerFields(OutcomeFields, TextSignals):
    """An answer, how sure it looked, and what it took, the steps before it included.

    ``cost`` is money in whatever unit whoever recorded it counts in.
    """

    reasoning: str = ""
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    cost: float | None = Field(None, ge=0, allow_inf_nan=False)


class PassageFields(Fields):
    text: str
    similarity: float = Field(0.0, ge=-1, le=1)


class StepFields(AnswerFields):
    """An answer after steps, of which the last ``succeeded`` and found ``evidence``."""

    succeeded: Truth = True
    evidence: list[PassageFields] = Field(default_factory=list)
    actions: list[Literal["retrieve", "reason"]] | None = None


class ClosedBookFields(AnswerFields):
    """The answer without retrieval, and how sure it looked."""

    samples: list[str] | None = Field(None, min_length=2)
    draft: TextSignals | None = None
    confidence: Probability | None = None
    scores: dict[str, Finite] = Field(default_factory=dict)


_OF_STEP = StepFields.model_fields.keys() - OutcomeFields.model_fields.keys()
_OF_CLOSED_BOOK = AnswerFields.model_fields.keys() - {
    *OutcomeFields.model_fields,
    *TextSignals.model_fields,
}
"""Fields that tell the course of an answer."""


class OutcomesFields(Fields):
    none: ClosedBookFields
    retrieve: StepFields
    retrieve_1: StepFields | None = None
    retrieve_5: StepFields | None = None
    multi: StepFields | None = None


class LineFields(Fields):
    """What a line has beside the question."""

    outcomes: OutcomesFields
    split: Literal["calibration", "tune", "test", "all"] | None = None


PLACES: Sequence[tuple[type[Fields], str]] = (
    (ClosedBookFields, "outcomes.none"),
    (StepFields, "outcomes.retrieve"),
    (OutcomesFields, "outcomes"),
)
"""Where fields stand that are no field of a line."""


def read_outcomes(
    path: Path, parameter: str, scorer: str = GradingFields().scorer
) -> tuple[RecordedQuestion, ...]:
    """All lines, judged by ``scorer`` where they do not say what is right.

    Raises `DataError` naming the ``parameter``, file, line and field of a bad one, and
    `ConfigError` for a scorer that does not exist.
    """
    scorer_named(scorer)
    given = f"{parameter}={path}"
    parsed = parse_lines(path, partial(_recorded, given=given, scorer=scorer), parameter)
    if parsed.rejected:
        first, *others = parsed.rejected
        more = f"; and {len(others)} more" if others else ""
        raise DataError(f"{given}: line {first.line}: {first.reason}{more}")
    if not parsed.values:
        raise DataError(f"{given}: is empty; give one question a line")
    _check_ids(parsed.values)
    return parsed.values


def check_outcome(question: Question, plan: str, outcome: object) -> None:
    """Raises `LineError`, naming the field, for what no line can have as an outcome of the plan."""
    kind = ClosedBookFields if plan == NONE else StepFields
    _checked_answer(question, plan, _validated(kind, outcome))


def _check_ids(recorded: Sequence[RecordedQuestion]) -> None:
    seen: set[str] = set()
    for question in recorded:
        if question.id in seen:
            raise DataError(
                f"{question.place}: repeats id {question.id!r}; give every line an id of its own"
            )
        seen.add(question.id)


def _recorded(value: object, number: int, given: str, scorer: str) -> RecordedQuestion:
    question = parse_question(value, number, needs_gold=False, scorer=scorer)
    assert isinstance(value, dict)
    if value.get("id") in (None, ""):
        raise LineError("id is missing; give every line one of its own")
    _check_known(value)
    sequences, named = _parted(value)
    fields = _fields(named)
    none = fields.outcomes.none
    plans = {plan: getattr(fields.outcomes, plan) for plan in OutcomesFields.model_fields}
    plans |= {plan: _validated(StepFields, step, plan) for plan, step in sequences.items()}
    outcomes = {
        plan: _outcome(question, plan, outcome_fields)
        for plan, outcome_fields in plans.items()
        if outcome_fields is not None
    }
    _check_branches(outcomes)
    signals = TextSignals(**{name: getattr(none, name) for name in TextSignals.model_fields})
    return RecordedQuestion(
        place=f"{given}: line {number}",
        question=question,
        outcomes=outcomes,
        signals=signals,
        draft=none.draft or signals,
        samples=tuple(none.samples or ()),
        confidence=none.confidence,
        split=fields.split or "",
        scores=none.scores,
    )


def _check_known(value: Mapping[str, object]) -> None:
    known = dict.fromkeys((*OF_QUESTION, *LineFields.model_fields))
    for name in value:
        if name not in known:
            where = next((place for kind, place in PLACES if name in kind.model_fields), "")
            way_out = f"; write it as {where}.{name}" if where else suggest(name, known)
            raise LineError(f"{name} is unknown{way_out}")


def _parted(value: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The outcomes of sequences of actions, and the line without those that have no field."""
    outcomes = value.get("outcomes")
    if not isinstance(outcomes, dict):
        return {}, value
    known = OutcomesFields.model_fields
    sequences = {
        plan: step for plan, step in outcomes.items() if plan not in known and actions_of(plan)
    }
    named = {plan: step for plan, step in outcomes.items() if plan not in sequences}
    return sequences, {**value, "outcomes": named}


def _check_branches(outcomes: Mapping[str, object]) -> None:
    """A tree has no branch without the one that it grows from."""
    for plan in outcomes:
        actions = actions_of(plan)
        if actions and (before := after(actions[:-1])) not in outcomes:
            raise LineError(
                f"outcomes.{plan} is recorded and outcomes.{before}, which comes before it, is "
                "not; record it as well, or leave the longer one out"
            )


def _fields(value: dict[str, Any]) -> LineFields:
    wanted = {name: value[name] for name in LineFields.model_fields if name in value}
    return _validated(LineFields, wanted)


def _validated(kind: type[FieldsType], value: object, plan: str = "") -> FieldsType:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise LineError(_explain(error, ("outcomes", plan) if plan else ())) from None


def _explain(error: ValidationError, place: tuple[str, ...] = ()) -> str:
    problem = error.errors()[0]
    name, message = ".".join(map(str, (*place, *problem["loc"]))), problem["msg"]
    if problem["type"] == "missing":
        return f"{name} is missing; record it for every question, {AS_SHOWN}"
    if problem["type"] == "extra_forbidden":
        return f"{name} is unknown; the fields are in docs/replay.md"
    if problem["type"] == "model_type":
        return f"{name}={shown(problem['input'])} is not an object; write one, {AS_SHOWN}"
    way_out = WAYS_OUT.get(problem["type"])
    end = f"; {way_out}" if way_out else ""
    return f"{name}={shown(problem['input'])}: {message[0].lower()}{message[1:]}{end}"


def _outcome(question: Question, plan: str, fields: AnswerFields) -> RecordedOutcome:
    place = f"outcomes.{plan}."
    answer = _checked_answer(question, plan, fields, place)
    if not question.is_graded and fields.correct is None:
        raise LineError(f"has no golden_answers, and {place}correct is missing; give either")
    graded = grade(question, answer) if question.is_graded else _UNCOMPARED
    if fields.correct is not None:
        graded = replace(graded, correct=fields.correct)
        # Who has called it right has read it.
        answer = replace(answer, parsed=answer.parsed or fields.correct)
    return RecordedOutcome(answer, graded, tuple(fields.probabilities or ()), _course(fields))


def _checked_answer(question: Question, plan: str, fields: AnswerFields, place: str = "") -> Answer:
    """The answer of an outcome that suits its question and plan; ``place`` is what errors put
    before the names of fields."""
    _check_actions(plan, fields, f"{place}actions")
    _check_probabilities(question, fields.probabilities or (), f"{place}probabilities")
    return _answer(question, fields.answer, f"{place}answer")


def _course(fields: AnswerFields) -> Course:
    """Of the closed-book answer all is known but its signals, which stand with the question."""
    told_by = _OF_STEP if isinstance(fields, StepFields) else _OF_CLOSED_BOOK
    if fields.model_fields_set.isdisjoint(told_by):
        # The same for all: one each takes 70 megabytes of 50,000 lines.
        return UNRECORDED
    usage = Usage(
        prompt_tokens=fields.prompt_tokens,
        completion_tokens=fields.completion_tokens,
        seconds=fields.seconds,
    )
    said = _said(tuple(name for name in USED if name in fields.model_fields_set))
    if not isinstance(fields, StepFields):
        return Course(reasoning=fields.reasoning, usage=usage, money=fields.cost, said_usage=said)
    signals = TextSignals(**{name: getattr(fields, name) for name in TextSignals.model_fields})
    evidence = tuple(
        Evidence(Passage(f"{number}", passage.text), passage.similarity)
        for number, passage in enumerate(fields.evidence)
    )
    return Course(
        signals,
        fields.reasoning,
        fields.succeeded,
        evidence,
        None if fields.actions is None else tuple(map(Action, fields.actions)),
        usage,
        fields.cost,
        # What failed has found nothing.
        knows_evidence="evidence" in fields.model_fields_set or not fields.succeeded,
        knows_similarities=all("similarity" in own.model_fields_set for own in fields.evidence),
        says_success="succeeded" in fields.model_fields_set,
        said_usage=said,
    )


@cache
def _said(names: tuple[str, ...]) -> frozenset[str]:
    """One object for all outcomes that say the same."""
    return frozenset(names)


def _check_actions(plan: str, fields: AnswerFields, name: str) -> None:
    """What the name of a plan says of its actions holds."""
    named = actions_of(plan)
    given = fields.actions if isinstance(fields, StepFields) else None
    if given is not None and named is not None and tuple(given) != named:
        raise LineError(
            f"{name}={','.join(given)} are not those of its name; leave them out, or name "
            f"the outcome {after(given)}"
        )


def _check_probabilities(question: Question, probabilities: Sequence[float], name: str) -> None:
    if not probabilities:
        return
    if len(probabilities) != len(question.choices):
        raise LineError(
            f"{name} has {len(probabilities)} values for {len(question.choices)} choices; give one "
            "for every choice, in their order, or leave it out"
        )
    if abs(sum(probabilities) - 1.0) > SUM_TOLERANCE:
        raise LineError(
            f"{name} add up to {sum(probabilities):.3f}, not to 1; divide them by their sum, or "
            "leave them out"
        )


def _answer(question: Question, given: object, name: str) -> Answer:
    """An answer to choices is the text of one or its index; another text could not be read."""
    if isinstance(given, bool) or not isinstance(given, (str, int, float)):
        raise LineError(
            f"{name}={shown(given)} is neither a text nor a number; write a text, empty for none"
        )
    check_finite(given, name)
    if not question.choices:
        text = str(given).strip()
        return Answer(text, parsed=bool(text))
    if isinstance(given, str):
        text = given.strip()
        if text not in question.choices:
            return Answer(text, parsed=False)
        return Answer(text, question.choices.index(text))
    if given not in range(len(question.choices)):
        raise LineError(
            f"{name}={given} is not an index of its {len(question.choices)} choices; write the "
            "text of one, or an index from 0 on"
        )
    return Answer(question.choices[int(given)], int(given))
