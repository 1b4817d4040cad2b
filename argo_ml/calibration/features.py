"""What p-hat is computed from: the answer now, the evidence, the trajectory, and the question.

A feature is one function and one line in `FEATURES`. The projections of the question's embedding
come after them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from statistics import fmean

from argo_ml.calibration.signals import entropy, largest_probability, margin
from argo_ml.calibration.text_features import (
    ANSWER_FEATURES,
    QUESTION_KINDS,
    answer_in_question,
)
from argo_ml.letters import is_unspaced
from argo_ml.state import AnswerNow, State
from argo_ml.types import Action, Evidence


def _present_answer(state: State) -> AnswerNow:
    answer = state.observations.answer
    if answer is None:
        raise ValueError(f"question {state.question.id!r}: the answer was not looked at")
    return answer


def _previous(state: State) -> AnswerNow | None:
    answers = state.observations.answers
    return answers[-2] if len(answers) > 1 else None


def _same_answer(first: AnswerNow, second: AnswerNow) -> bool:
    if first.answer.choice is not None or second.answer.choice is not None:
        return first.answer.choice == second.answer.choice
    texts = [" ".join(now.answer.text.casefold().split()) for now in (first, second)]
    return texts[0] == texts[1]


def agreement(state: State) -> float:
    """1 where the step before left the answer as it was, 0 where it changed it or there is none."""
    previous = _previous(state)
    return float(previous is not None and _same_answer(previous, _present_answer(state)))


def change(state: State) -> float:
    """Total variation between p before and after the last step; of texts, that of their p(1)."""
    previous, present = _previous(state), _present_answer(state)
    if previous is None:
        return 0.0
    pairs = (previous.probabilities, present.probabilities)
    if len(pairs[0]) == len(pairs[1]) > 0:
        return 0.5 * sum(abs(a - b) for a, b in zip(*pairs, strict=True))
    return abs(largest_probability(present) - largest_probability(previous))


def _evidence(state: State) -> tuple[Evidence, ...]:
    return tuple(hit for step in state.steps for hit in step.evidence)


def best_similarity(state: State) -> float:
    return max((hit.similarity for hit in _evidence(state)), default=0.0)


def mean_similarity(state: State) -> float:
    evidence = _evidence(state)
    return fmean([hit.similarity for hit in evidence]) if evidence else 0.0


def answer_in_evidence(state: State) -> float:
    """1 where a passage found mentions the answer."""
    return float(_mentioned(_answer_text(state), state))


def others_in_evidence(state: State) -> float:
    """Share of the other choices that a passage found mentions: evidence that does not decide."""
    chosen = _present_answer(state).answer.choice
    others = [text for number, text in enumerate(state.question.choices) if number != chosen]
    return fmean([_mentioned(text, state) for text in others]) if others else 0.0


def numeric_choices(state: State) -> float:
    """Share of the choices with a digit: figures are read more often than known."""
    choices = state.question.choices
    return fmean([any(map(str.isdigit, text)) for text in choices]) if choices else 0.0


def _mentioned(text: str, state: State) -> bool:
    return any(_mentions(hit.passage.text, text) for hit in _evidence(state))


@lru_cache(maxsize=16384)
def _mentions(passage: str, text: str) -> bool:
    """Whether ``text`` stands there as words of its own: 4 does not in 1994.

    Scripts that put no space between words do not show where one ends. Every cell that comes to a
    state asks the same.
    """
    words, passage = text.casefold().strip(), passage.casefold()
    start = passage.find(words) if words else -1
    while start >= 0:
        end = start + len(words)
        if _is_edge(passage[start - 1 : start], words[0]) and _is_edge(
            passage[end : end + 1], words[-1]
        ):
            return True
        start = passage.find(words, start + 1)
    return False


def _is_edge(beside: str, own: str) -> bool:
    """Whether a word may end between its ``own`` character and the one ``beside``, if any."""
    if not beside.isalnum() and beside != "_":
        return True
    return is_unspaced(beside) or is_unspaced(own)


def _last_action(action: Action) -> Callable[[State], float]:
    return lambda state: float(bool(state.steps) and state.steps[-1].action is action)


def _sureness_after(action: Action) -> Callable[[State], float]:
    """The largest probability where the last step was ``action``: it may mean more, or less."""
    is_last = _last_action(action)
    return lambda state: is_last(state) * largest_probability(_present_answer(state))


def n_failed(state: State) -> float:
    return float(sum(not step.succeeded for step in state.steps))


def _answer_text(state: State) -> str:
    """Of a choice its own text, in whatever words or by whatever number it was named."""
    answer = _present_answer(state).answer
    return answer.text if answer.choice is None else state.question.choices[answer.choice]


def _of_answer(compute: Callable[[str], float]) -> Callable[[State], float]:
    return lambda state: compute(_answer_text(state))


def _of_question(compute: Callable[[str], float]) -> Callable[[State], float]:
    return lambda state: compute(state.question.text)


FEATURES: Mapping[str, Callable[[State], float]] = {
    "largest_probability": lambda state: largest_probability(_present_answer(state)),
    "margin": lambda state: margin(_present_answer(state)),
    "entropy": lambda state: min(entropy(_present_answer(state)), 20.0),
    "agreement": agreement,
    "change": change,
    "best_similarity": best_similarity,
    "mean_similarity": mean_similarity,
    "answer_in_evidence": answer_in_evidence,
    "others_in_evidence": others_in_evidence,
    "n_steps": lambda state: float(len(state.steps)),
    "n_retrieve": lambda state: float(state.count(Action.RETRIEVE)),
    "n_reason": lambda state: float(state.count(Action.REASON)),
    "n_failed": n_failed,
    "after_retrieve": _last_action(Action.RETRIEVE),
    "after_reason": _last_action(Action.REASON),
    "sureness_after_retrieve": _sureness_after(Action.RETRIEVE),
    "sureness_after_reason": _sureness_after(Action.REASON),
    "question_words": lambda state: math.log1p(len(state.question.text.split())),
    "n_choices": lambda state: float(len(state.question.choices)),
    "numeric_choices": numeric_choices,
    **{name: _of_answer(compute) for name, compute in ANSWER_FEATURES.items()},
    "answer_in_question": lambda state: answer_in_question(
        _answer_text(state), state.question.text
    ),
    **{name: _of_question(compute) for name, compute in QUESTION_KINDS.items()},
}
"""Name -> its value in a state whose answer was looked at. New ones stand at the end: calibrations
of earlier versions have those before them."""


def features(state: State, n_features: int | None = None) -> tuple[float, ...]:
    """Features of a state, ordered as `FEATURES`, or the first so many of them.

    Raises ValueError without a present answer.
    """
    return tuple(compute(state) for compute in islice(FEATURES.values(), n_features))
