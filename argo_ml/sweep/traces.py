"""The episodes of a sweep that are worth a look: where its strategies disagree the most."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config import money_of
from argo_ml.errors import ArgoError
from argo_ml.evaluation.breakdowns import middle_price
from argo_ml.evaluation.examples import gold_texts
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.policies.planned import NEVER
from argo_ml.results.artifacts import PASSAGES
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import CellResult, QuestionResult, Results
from argo_ml.results.row_files import cell_trajectories
from argo_ml.results.spans import EpisodeCosts, Trajectory, episode_span
from argo_ml.results.stored import stored_lines
from argo_ml.results.unit import unit_of
from argo_ml.sweep.stored_files import PARENT
from argo_ml.tracking.runs import TrackedRun
from argo_ml.tracking.traces import CORRECT, PAID_OFF, EpisodeTrace, Verdict

logger = logging.getLogger(__name__)

_Course = tuple[tuple[str, ...], str]
"""The actions of an episode, and the answer that they led to."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """An episode to be traced, and what answering at once comes to on its question."""

    cell: CellResult
    row: QuestionResult
    without: _AtOnce | None


@dataclass(frozen=True, slots=True)
class _AtOnce:
    """An answer before any step."""

    correct: bool
    cost: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an episode's row is, and whether its answer is right."""

    cell: CellResult
    index: int
    correct: bool


def trace_sweep(run: TrackedRun, results: Results, folder: Path, n_traces: int) -> None:
    """Write the traces of a sweep's most telling episodes.

    ``folder`` has what the runs keep, as `write_records` has left it. A store that takes no traces
    is logged and nothing else: the results are there already.
    """
    chosen = choose_episodes(results, n_traces)
    try:
        lines = stored_lines(folder / PARENT / PASSAGES, "")
        passages = {line["id"]: line for line in lines}
        run.log_traces(list(_traces(results, chosen, passages, folder)))
    except ArgoError as error:
        logger.warning("no traces are kept of this sweep (%s)", error)


def choose_episodes(results: Results, n_traces: int) -> list[_Chosen]:
    """Episodes that differ, question by question, those first on which courses differ the most.

    Of episodes of one question that went alike there is one, of the first strategy and price. Of
    rows on disk those that are chosen are read, and of the others what tells courses apart.
    """
    cells = [cell for cell in results.cells if not is_ceiling(cell.strategy)]
    by_question: dict[str, dict[_Course, _Place]] = {}
    for cell in sorted(cells, key=_most_telling_first(results)):
        columns = row_values(cell.questions, "question_id", "actions", "answer", "correct")
        for index, (question_id, actions, answer, correct) in enumerate(columns):
            courses = by_question.setdefault(question_id, {})
            courses.setdefault((tuple(actions), answer), _Place(cell, index, correct))
    ranked = sorted(by_question.items(), key=lambda item: (-_disagreement(item[1]), item[0]))
    places = [place for _, courses in ranked for place in courses.values()][:n_traces]
    without = _answered_at_once(cells)
    return [_chosen(place, without) for place in places]


def _answered_at_once(cells: Sequence[CellResult]) -> dict[str, _AtOnce]:
    """What answering at once comes to, by question."""
    never = [cell for cell in cells if cell.strategy == NEVER]
    return {
        question_id: _AtOnce(bool(correct), float(cost))
        for cell in never[-1:]
        for question_id, correct, cost in row_values(
            cell.questions, "question_id", "correct", "cost"
        )
    }


def _chosen(place: _Place, without: Mapping[str, _AtOnce]) -> _Chosen:
    row = place.cell.questions[place.index]
    return _Chosen(place.cell, row, without.get(row.question_id))


def _most_telling_first(results: Results) -> Any:
    """Prices from the middle outwards, strategies that look at the question before fixed ones."""
    middle = middle_price(results.prices)

    def key(cell: CellResult) -> tuple[float, bool]:
        looks = any(row.decisions for row in cell.questions[:1])
        return abs(cell.retrieval_cost - middle), not looks

    return key


def _disagreement(courses: Mapping[_Course, _Place]) -> float:
    """How many courses there are, and more where some end right and some wrong."""
    verdicts = {place.correct for place in courses.values()}
    return len(courses) + 100 * (len(verdicts) - 1)


def _traces(
    results: Results,
    chosen: Sequence[_Chosen],
    passages: Mapping[str, Mapping[str, Any]],
    folder: Path,
) -> Iterator[EpisodeTrace]:
    wanted: dict[str, list[_Chosen]] = {}
    for one in chosen:
        wanted.setdefault(one.cell.cell_id, []).append(one)
    lines: dict[tuple[str, str], Trajectory] = {}
    for cell_id, own in wanted.items():
        ids = {one.row.question_id for one in own}
        for line in cell_trajectories(folder / cell_id):
            if line["question_id"] in ids:
                lines[cell_id, line["question_id"]] = line
    for one in chosen:
        yield _trace(results, one, lines[one.cell.cell_id, one.row.question_id], passages)


def _trace(
    results: Results,
    chosen: _Chosen,
    line: Trajectory,
    passages: Mapping[str, Mapping[str, Any]],
) -> EpisodeTrace:
    cell, row = chosen.cell, chosen.row
    model = str(results.spec.get("model", ""))
    money = money_of(results.spec)
    costs = EpisodeCosts.of_row(cell.strategy, cell.retrieval_cost, row, model, money)
    gold = " | ".join(gold_texts(line))
    return EpisodeTrace(
        key=f"{cell.run_id} {row.question_id}",
        root=episode_span(line, passages, costs),
        seconds=row.lm_seconds,
        run_id=cell.run_id,
        verdicts=tuple(_verdicts(results, chosen, gold)),
        expected=gold or None,
        tags={
            "argo.kind": "cell",
            "argo.sweep_id": results.sweep_id,
            "argo.strategy": cell.strategy,
            "argo.retrieval_cost": f"{cell.retrieval_cost:g}",
            "argo.question_id": row.question_id[:250],
        },
        failed=row.unanswered,
    )


def _verdicts(results: Results, chosen: _Chosen, gold: str) -> Iterator[Verdict]:
    row, without = chosen.row, chosen.without
    yield Verdict(CORRECT, row.correct, f"right: {gold}" if gold else "")
    if without is None or not row.actions:
        return
    unit = unit_of(results.spec)
    price = float(results.spec.get("mu", 1.0)) * (row.cost - without.cost)
    gain = row.correct - without.correct - price
    change = f"{int(without.correct)} -> {int(row.correct)}"
    reason = (
        f"right without any step -> with: {change}, price {unit.price(price)}: {unit.change(gain)}"
    )
    yield Verdict(PAID_OFF, gain > 0, reason)
