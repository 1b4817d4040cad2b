"""A replay as the results of a sweep, evaluated as a sweep is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from argo_ml.addresses import redacted
from argo_ml.config import ReplaySpec
from argo_ml.datasets.answers import accuracy_floors
from argo_ml.datasets.sampling import questions_digest
from argo_ml.evaluation.calibration_metrics import calibration_metrics
from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import Evaluation
from argo_ml.policies.gates import Gate
from argo_ml.policies.gates.graded import Graded
from argo_ml.replay.deciding import DecidedCell
from argo_ml.replay.decision_columns import decision_labels, root_expectations
from argo_ml.replay.recorded import UNRECORDED, Course, RecordedQuestion
from argo_ml.replay.replaying import Replay
from argo_ml.results.artifacts import CALIBRATION_DIGEST, STEPWISE_CALIBRATION_DIGEST
from argo_ml.results.metrics import cell_metrics
from argo_ml.results.question_rows import row_flags
from argo_ml.results.records import CellResult, Results
from argo_ml.statistics.one_thread import one_thread
from argo_ml.types import Expectation

UNNAMED = "an unnamed model"
NOT_RECORDED = (
    "Calls are not recorded and count as 0 in this replay, and so do tokens and seconds where "
    "they are not recorded. A retrieval counts as one that found something unless it is recorded "
    "otherwise."
)
EXPLORED = ("delta_r", "delta_p", "p_s")
"""Begin the metrics of what a calibration measures of further steps. Those of a replay are of the
calibration of what stands before the first step, which knows nothing of them."""


def replay_results(
    replayed: Replay, spec: ReplaySpec, run_id: str, child_ids: Sequence[str]
) -> Results:
    """The results of a replay; ``child_ids`` are the runs of the cells, in their order."""
    questions = replayed.questions
    digests = {
        "questions_digest": questions_digest(questions),
        "outcomes_digest": _outcomes_digest(replayed),
        CALIBRATION_DIGEST: replayed.calibration.digest,
    }
    if replayed.learned.stepwise.knows_steps:
        digests[STEPWISE_CALIBRATION_DIGEST] = replayed.learned.stepwise.digest
    return Results(
        sweep_id=run_id,
        spec=spec_of_results(spec),
        digests=digests,
        floors=accuracy_floors(questions),
        strategies=tuple(dict.fromkeys(cell.strategy for cell in replayed.cells)),
        prices=spec.prices,
        cells=tuple(
            _cell_result(cell, spec, digests, child_id)
            for cell, child_id in zip(replayed.cells, child_ids, strict=True)
        ),
    )


def spec_of_results(spec: ReplaySpec) -> dict[str, Any]:
    """The spec, and what an evaluation asks the spec of a sweep for."""
    return {
        **stored_spec(spec),
        "dataset": Path(spec.outcomes).stem,
        "difficulty": "all",
        "model": spec.model or UNNAMED,
    }


def stored_spec(spec: ReplaySpec) -> dict[str, Any]:
    """The spec's fields as a run keeps them: without the password of the store."""
    values = spec.model_dump(mode="json")
    return {**values, "tracking_uri": redacted(spec.tracking_uri)}


def _outcomes_digest(replayed: Replay) -> str:
    """SHA-256 of all that is recorded of both parts, in order, wherever it stands."""
    both = [[state.recorded for state in part] for part in (replayed.calibrating, replayed.tested)]
    digest = hashlib.sha256()
    for told in (_without_place, _courses, _scores):
        # Left out where nothing is recorded of it, so that files have the digest they always had.
        if any(told(recorded) for part in both for recorded in part):
            for piece in _listed(both, told):
                digest.update(piece.encode())
    return digest.hexdigest()


def _listed(
    both: Sequence[Sequence[RecordedQuestion]], told: Callable[[RecordedQuestion], object]
) -> Iterator[str]:
    """What `repr` gives of two lists of what is ``told``, piece by piece: of large files that is a
    gigabyte."""
    for number, part in enumerate(both):
        yield ", [" if number else "[["
        for at, recorded in enumerate(part):
            yield f"{', ' if at else ''}{told(recorded)!r}"
        yield "]"
    yield "]"


def _without_place(recorded: RecordedQuestion) -> RecordedQuestion:
    return replace(recorded, place="")


def _courses(recorded: RecordedQuestion) -> dict[str, Course]:
    return {
        plan: outcome.course
        for plan, outcome in recorded.outcomes.items()
        if outcome.course != UNRECORDED
    }


def _scores(recorded: RecordedQuestion) -> Mapping[str, float]:
    return recorded.scores


def _cell_result(
    cell: DecidedCell, spec: ReplaySpec, digests: Mapping[str, str], run_id: str
) -> CellResult:
    decided_by: list[Any] = [
        cell.strategy,
        cell.retrieval_cost,
        spec.mu,
        spec.gate_budget,
        spec.seed,
    ]
    if spec.money is not None:
        decided_by.append(repr(spec.money))
    if spec.guarantee:
        decided_by += [spec.guarantee, spec.delta]
    changed = {
        name: value
        for name in ("reason_cost", "max_steps", "strategy_parameters")
        if (value := getattr(spec, name)) != ReplaySpec.model_fields[name].default
    }
    if changed:
        decided_by.append(changed)
    content = json.dumps([decided_by, digests], sort_keys=True)
    return CellResult(
        cell_id=hashlib.sha256(content.encode()).hexdigest()[:16],
        run_id=run_id,
        strategy=cell.strategy,
        retrieval_cost=cell.retrieval_cost,
        metrics=cell_metrics(cell.rows, spec.mu, cell.table),
        policy=cell.table,
        questions=cell.rows,
    )


@one_thread()
def evaluate_replay(replayed: Replay, results: Results) -> Evaluation:
    """The evaluation, without what recorded outcomes say nothing of."""
    scores = {
        cell.strategy: cell.policy.calibration_scores
        for cell in replayed.cells
        if isinstance(cell.policy, (Gate, Graded))
    }
    metrics = {
        name: value
        for name, value in calibration_metrics(replayed.calibration).items()
        if not name.startswith(EXPLORED)
    }
    evaluation = evaluate(results, gate_scores=scores, calibration_metrics=metrics)
    return evaluation.model_copy(update={"caveats": (*evaluation.caveats, NOT_RECORDED)})


def predictions(replayed: Replay) -> Iterator[dict[str, Any]]:
    """One line per policy and question; what was decided and whether it is right are by price."""
    for policy, group in groupby(replayed.cells, lambda cell: cell.strategy):
        cells = list(group)
        prices = [f"{cell.retrieval_cost:g}" for cell in cells]
        labels = zip(*(decision_labels(cell.decisions) for cell in cells), strict=True)
        correct = zip(*(row_flags(cell.rows, "correct") for cell in cells), strict=True)
        roots = root_expectations(cells[0].decisions)
        for state, root, words, right in zip(replayed.tested, roots, labels, correct, strict=True):
            yield {
                "id": state.recorded.id,
                "policy": policy,
                **_root(root, state.recorded),
                "decision": dict(zip(prices, words, strict=True)),
                "correct": dict(zip(prices, right, strict=True)),
            }


def _root(expected: Expectation, recorded: RecordedQuestion) -> dict[str, float | None]:
    """Score and confidence of the closed-book answer, the same at all prices."""
    confidence = expected.confidence
    if confidence is None:
        confidence = max(recorded.probabilities, default=None)
    return {"score": expected.score, "confidence": confidence}
