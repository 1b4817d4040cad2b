"""An advice on recorded outcomes of any pipeline, for which no model is asked."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from pathlib import Path

from argo_ml.advising.checking import CLAIMS, FEWEST
from argo_ml.advising.choosing import choose
from argo_ml.advising.concluding import Judged, conclude
from argo_ml.advising.storing import store_json, store_with_report
from argo_ml.config import AdviseSpec, ReplaySpec
from argo_ml.datasets.answers import accuracy_floors
from argo_ml.datasets.repeats import content_key
from argo_ml.datasets.sampling import questions_digest
from argo_ml.errors import DataError
from argo_ml.evaluation.advice import REPLAY, TUNE, Advice
from argo_ml.evaluation.protocol import evaluate
from argo_ml.evaluation.record import Evaluation
from argo_ml.progress import OnProgress
from argo_ml.replay.judging import NOT_RECORDED
from argo_ml.replay.needs import given_score, is_possible
from argo_ml.replay.recorded import RecordedQuestion, common_reach
from argo_ml.replay.splitting import Parts, drawn, read_parts
from argo_ml.replay.storing import run_replay
from argo_ml.results.artifacts import ADVISED_PARTS
from argo_ml.results.metrics import cell_metrics
from argo_ml.results.question_rows import question_ids
from argo_ml.results.records import CellResult, Record, Results
from argo_ml.results.row_files import RowKeeper
from argo_ml.sweep.parent_run import ParentRun
from argo_ml.tracking.runs import TrackedRun, Tracking

logger = logging.getLogger(__name__)


def recorded_parts(spec: AdviseSpec) -> Parts:
    """The questions that calibrate, and those to choose and to confirm on.

    Raises `DataError` for a bad line, and where there are too few for the three parts.
    """
    parts = read_parts(spec.replay())
    tuning = tuning_ids(spec, parts.test)
    sizes = {
        "calibration": len(parts.calibration),
        TUNE: len(tuning),
        "test": len(parts.test) - len(tuning),
    }
    lacking = [
        f"{FEWEST[split]} {CLAIMS[split]} ({n} here)"
        for split, n in sizes.items()
        if n < FEWEST[split]
    ]
    if lacking:
        raise DataError(
            f"outcomes={spec.outcomes}: {sum(sizes.values())} questions are too few for three "
            f"parts: an advice needs {' and '.join(lacking)}; record more questions"
        )
    return parts


def tuning_ids(spec: AdviseSpec, tested: Sequence[RecordedQuestion]) -> frozenset[str]:
    """The questions to choose on: those whose line says so, else a share drawn by id and seed; and
    those that repeat one of them under another id."""
    keys = [content_key(own.question) for own in tested]
    named = {key for key, own in zip(keys, tested, strict=True) if own.split == TUNE}
    chosen = (
        [key in named for key in keys]
        if named
        else drawn(tested, spec.tune_share, spec.seed, "advise")
    )
    return frozenset(own.id for own in compress(tested, chosen))


def replayed_spec(spec: AdviseSpec, parts: Parts) -> ReplaySpec:
    """The replay of those of the policies that enough is recorded for, to as many steps as are
    recorded, or to fewer."""
    score, replayed = given_score(spec), spec.replay()
    n_steps = min(spec.max_steps, common_reach(parts.all).n_steps)
    possible = tuple(
        name
        for name in spec.policies
        if is_possible(name, parts, score, n_steps, replayed.guarantee)
    )
    return replayed.model_copy(update={"policies": possible, "max_steps": n_steps})


class AdvisedParts(Record):
    """Which of a replay's questions are chosen on (``tune``); the others confirm what is chosen.

    ``n_calibration`` further ones calibrate. ``floors`` are accuracies without a model on those
    that confirm.
    """

    tune: tuple[str, ...]
    n_calibration: int
    floors: Mapping[str, float]


def advised_parts(spec: AdviseSpec, parts: Parts) -> AdvisedParts:
    tuning = tuning_ids(spec, parts.test)
    return AdvisedParts(
        tune=tuple(own.id for own in parts.test if own.id in tuning),
        n_calibration=len(parts.calibration),
        floors=accuracy_floors([own.question for own in parts.test if own.id not in tuning]),
    )


def advise_on_outcomes(
    spec: AdviseSpec,
    parts: Parts,
    run: TrackedRun,
    tracking: Tracking,
    on_progress: OnProgress,
) -> Advice:
    """Replay the policies below ``run``, choose on one part and confirm on the other."""
    parent = ParentRun(run, tracking, {}, name=f"replay {Path(spec.outcomes).name}")
    stored = run_replay(replayed_spec(spec, parts), on_progress, parent, parts)
    advised = advised_parts(spec, parts)
    store_json(run, ADVISED_PARTS, advised)
    judged = judge_replay(advised, stored.results)
    advice = conclude(judged, None, run.run_id, {})
    store_with_report(advice, judged, evaluate_part(judged.results), run)
    return advice


def judge_replay(parts: AdvisedParts, results: Results) -> Judged:
    """Choose on one part of a replay's questions, to be confirmed on the other."""
    tuning = frozenset(parts.tune)
    testing = frozenset(question_ids(results.cells[0].questions)) - tuning
    sizes = {"calibration": parts.n_calibration, TUNE: len(tuning), "test": len(testing)}
    choices = choose(of_questions(results, tuning))
    confirmed = of_questions(results, testing).model_copy(update={"floors": parts.floors})
    return Judged(choices, confirmed, "test", sizes, {REPLAY: results.sweep_id})


def reread_parts(spec: AdviseSpec, results: Results) -> AdvisedParts:
    """The parts of an advice whose run has not kept them, by the file that it was made of.

    Raises `DataError` for a file that holds other questions than ``results`` are of.
    """
    parts = recorded_parts(spec)
    digest = questions_digest([own.question for own in parts.test])
    if digest != results.digests["questions_digest"]:
        raise DataError(
            f"outcomes={spec.outcomes}: is another file than the advice was made of, with other "
            "questions; put that one back"
        )
    return advised_parts(spec, parts)


def evaluate_part(confirmed: Results) -> Evaluation:
    evaluation = evaluate(confirmed)
    caveats = (*evaluation.caveats, NOT_RECORDED)
    return evaluation.model_copy(update={"caveats": caveats})


def of_questions(results: Results, ids: Collection[str]) -> Results:
    """The results on some of their questions, with the floors of all of them."""
    mu, keeper = float(results.spec["mu"]), RowKeeper(len(results.cells) * len(ids))
    cells = tuple(_of_questions(cell, ids, mu, keeper) for cell in results.cells)
    return results.model_copy(update={"cells": cells})


def _of_questions(
    cell: CellResult, ids: Collection[str], mu: float, keeper: RowKeeper
) -> CellResult:
    rows = keeper.keep_some(cell.questions, ids)
    metrics = cell_metrics(rows, mu, cell.policy)
    return cell.model_copy(update={"questions": rows, "metrics": metrics})
