"""Writes what a sweep or a calibration knows of outcomes, as `argo-ml replay` reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.calibration.building import ROOT, Explored, Visit
from argo_ml.calibration.plans import MULTI, NONE, ONCE, SIZED, after, sized
from argo_ml.config import CellSpec
from argo_ml.engine import Finished
from argo_ml.pipeline.probing import choice_probabilities
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.policies.strategies import ALL_STRATEGIES
from argo_ml.results.records import QuestionResult
from argo_ml.results.shard import ShardRecord
from argo_ml.results.text_signals import AFTER_ONE, TextSignals, seen_first
from argo_ml.state import AnswerNow
from argo_ml.types import Action, Answer, Question, StopReason

Line = dict[str, Any]


def write_lines(path: Path, lines: Iterable[Line]) -> None:
    """Add them to the file; without any there is none."""
    texts = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
    if texts:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(texts)


@dataclass(frozen=True, slots=True)
class Episode:
    """One question under one cell: its trajectory's line and its row."""

    strategy: str
    line: Mapping[str, Any]
    row: QuestionResult


def sweep_lines(record: ShardRecord, cells: Mapping[str, CellSpec]) -> Iterator[Line]:
    """One line per question of a shard; none where either of the two plain strategies is missing,
    or has no answer because the model did not take the question.

    ``cells`` are by id; they differ in strategy and price.
    """
    if not {NEVER, SINGLE} <= {cell.strategy for cell in cells.values()}:
        return
    by_cell = [
        [
            Episode(cell.strategy, line, row)
            for line, row in zip(record.trajectories[name], record.results[name], strict=True)
        ]
        for name, cell in cells.items()
    ]
    shared = next(iter(cells.values()))
    for episodes in zip(*by_cell, strict=True):
        answered = [episode for episode in episodes if not episode.row.unanswered]
        if {NEVER, SINGLE} <= {episode.strategy for episode in answered}:
            yield _sweep_line(answered, record.passages, shared.top_k, shared.split)


def _sweep_line(
    episodes: Sequence[Episode], passages: Mapping[str, Mapping[str, str]], top_k: int, split: str
) -> Line:
    closed_book = next(episode for episode in episodes if episode.strategy == NEVER)
    retrieved = next(episode for episode in episodes if episode.strategy == SINGLE)
    [step] = retrieved.line["steps"]
    after_it = {**_seen_after(step, episodes), **_brought(step, passages)}
    outcomes = {
        NONE: {**_outcome_of(closed_book), **_seen(episodes), **_estimate(episodes)},
        ONCE: {**_outcome_of(retrieved), **after_it},
    }
    if sized(top_k) in SIZED:
        outcomes[sized(top_k)] = _outcome_of(retrieved)
    outcomes |= {
        plan: _outcome_of(episode) for episode in episodes if (plan := _sized_plan(episode))
    }
    line = closed_book.line
    return {
        "id": line["question_id"],
        "question": line["question"],
        **({"choices": line["choices"]} if line["choices"] else {}),
        "golden_answers": line["gold"],
        **_difficulty(closed_book.row.difficulty),
        "split": split,
        "outcomes": outcomes,
    }


def _sized_plan(episode: Episode) -> str:
    """The plan of a single retrieval of one of the sizes, else empty."""
    steps = episode.line["steps"]
    is_single = len(steps) == 1 and episode.line["stop_reason"] != StopReason.ABSTAIN.value
    size = steps[0].get("top_k") if is_single else None
    return sized(size) if size is not None and sized(size) in SIZED else ""


def _outcome_of(episode: Episode) -> Line:
    line = episode.line
    answer = Answer(line["answer"], line["choice"], line["parsed"], tuple(line["scores"]))
    return _outcome(answer, episode.row.correct)


def _outcome(answer: Answer, correct: bool) -> Line:
    probabilities = choice_probabilities(answer)
    return {
        "answer": answer.text if answer.choice is None else answer.choice,
        "correct": correct,
        **({"probabilities": list(probabilities)} if probabilities else {}),
    }


def _seen_after(retrieval: Mapping[str, Any], episodes: Sequence[Episode]) -> Line:
    """How sure the answer after a retrieval looked to any policy that began with the same one."""
    for episode in episodes:
        steps, seen = episode.line["steps"], episode.line.get("seen", {})
        if AFTER_ONE in seen and _retrieval(steps[0]) == _retrieval(retrieval):
            return dict(seen[AFTER_ONE])
    return {}


def _retrieval(step: Mapping[str, Any]) -> Line:
    """All that the answer after a retrieval depends on."""
    return {name: step.get(name) for name in ("action", "sub_question", "sub_answer", "evidence")}


def _brought(step: Mapping[str, Any], passages: Mapping[str, Mapping[str, str]]) -> Line:
    """What a retrieval has found, and that it failed where it did; nothing where a passage is not
    on record."""
    if not step.get("succeeded", True):
        return {"succeeded": False}
    hits = step.get("evidence", [])
    if not hits or any(hit["passage_id"] not in passages for hit in hits):
        return {}
    return _evidence((passages[hit["passage_id"]]["text"], hit["similarity"]) for hit in hits)


def _evidence(hits: Iterable[tuple[str, float]]) -> Line:
    return {"evidence": [{"text": text, "similarity": similarity} for text, similarity in hits]}


def _seen(episodes: Sequence[Episode]) -> Line:
    """What any policy saw before its first step."""
    seen: Line = {}
    for episode in episodes:
        seen = {**episode.line.get("seen", {}), **seen}
    return _flat(seen)


def _flat(seen: Mapping[str, Any]) -> Line:
    """The signals as a line has them: those of the answer stand beside it."""
    return {
        **seen.get("answer", {}),
        **{name: seen[name] for name in ("draft", "samples") if name in seen},
    }


def _estimate(episodes: Sequence[Episode]) -> Line:
    """p-hat of the answer without retrieval, where any policy computed it."""
    for episode in episodes:
        if ALL_STRATEGIES[episode.strategy].first_confidence_is_p_hat and episode.row.decisions:
            confidence = episode.row.decisions[0].confidence
            if confidence is not None:
                return {"confidence": confidence}
    return {}


def _difficulty(value: str | None) -> Line:
    return {} if value is None else {"metadata": {"difficulty": value}}


def explored_line(
    explored: Explored, finished: Sequence[Finished], confidence: float, split: str
) -> Line:
    """All outcomes that exploring a question led to.

    ``finished`` are its episodes, among them single retrievals of other sizes than the usual,
    ``confidence`` is p-hat of the answer without retrieval by a model that has not seen the
    question, and ``split`` is the one that it is of.
    """
    question, observations = explored.question, explored.visits[ROOT].state.observations
    plans = {NONE: _answered(observations.answer), **_explored_answers(explored, finished)}
    outcomes = {
        plan: _outcome(answer, explored.outcomes[plan])
        for plan, answer in plans.items()
        if plan in explored.outcomes
    }
    outcomes[NONE] |= {**_flat(seen_first(observations)), "confidence": confidence}
    if MULTI in outcomes:
        outcomes[MULTI] |= {"actions": list(_retrievals(explored)[-1])}
    outcomes |= {
        after(actions): _visited(visit) for actions, visit in explored.visits.items() if actions
    }
    return {
        **_question(question),
        # Without parts, what is explored is there to calibrate on.
        "split": "calibration" if split == "all" else split,
        "outcomes": outcomes,
    }


def _visited(visit: Visit) -> Line:
    """The answer after some steps, how sure it looked, and what the last step found."""
    now, step = visit.state.observations.answer, visit.state.steps[-1]
    signals = {} if now is None or now.probabilities else TextSignals.of(now.tokens).recorded
    hits = [(hit.passage.text, hit.similarity) for hit in step.evidence]
    return {
        **_outcome(_answered(now), visit.correct),
        **signals,
        **({} if step.succeeded else {"succeeded": False}),
        **(_evidence(hits) if hits else {}),
    }


def _explored_answers(explored: Explored, finished: Sequence[Finished]) -> dict[str, Answer]:
    """The answers by plan, of the plans that retrieve."""
    constant = _retrievals(explored)
    once, many = (explored.visits[actions] for actions in (constant[0], constant[-1]))
    answers = {ONCE: _answered(once.state.observations.answer)}
    for done in finished:
        steps = done.outcome.steps
        if len(steps) == 1 and steps[0].top_k is not None:
            answers[sized(steps[0].top_k)] = done.outcome.answer
    usual = [plan for plan in SIZED if plan not in answers and plan in explored.outcomes]
    answers |= {plan: answers[ONCE] for plan in usual}
    return {**answers, MULTI: _answered(many.state.observations.answer)}


def _retrievals(explored: Explored) -> list[tuple[str, ...]]:
    """The explored sequences of retrievals alone, the shortest first."""
    retrieve = Action.RETRIEVE.value
    return sorted((actions for actions in explored.visits if set(actions) == {retrieve}), key=len)


def _answered(now: AnswerNow | None) -> Answer:
    assert now is not None
    return now.answer


def _question(question: Question) -> Line:
    difficulty = None if question.difficulty is None else question.difficulty.value
    return {
        "id": question.id,
        "question": question.text,
        **({"choices": list(question.choices)} if question.choices else {}),
        "golden_answers": list(question.gold if question.choices else question.answers),
        **_difficulty(difficulty),
    }
