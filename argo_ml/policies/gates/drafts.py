"""The readings of TARG's gates: of a draft without evidence, or of the scores of the choices.

A question with choices needs no draft: how sure the model is of them says the same, and is the
final answer's own call. Where choices are answered by number, without scores, the tokens of that
answer take the draft's place.
"""

from __future__ import annotations

from argo_ml.policies.base import AnswerNow, Probe, State
from argo_ml.policies.gates.base import not_probed
from argo_ml.types import Question, TokenDetail


def probes_for(question: Question, without_choices: Probe) -> frozenset[Probe]:
    """The answer of a question with choices, ``without_choices`` of any other."""
    return frozenset({Probe.ANSWER if question.choices else without_choices})


def probed_answer(state: State) -> AnswerNow:
    """The answer that the episode would give now. Raises `ConfigError` where it was not probed."""
    if state.observations.answer is None:
        raise not_probed(state.question, "answer")
    return state.observations.answer


def draft_tokens(state: State) -> tuple[TokenDetail, ...]:
    """The tokens of the draft. Raises `ConfigError` where it was not probed."""
    if state.observations.draft is None:
        raise not_probed(state.question, "draft")
    return state.observations.draft.tokens


def sampled_texts(state: State) -> tuple[str, ...]:
    """The sampled drafts. Raises `ConfigError` where they were not probed."""
    if not state.observations.samples:
        raise not_probed(state.question, "sampled drafts")
    return state.observations.samples
