"""The stages of a study as children of its run: found again, run, or cut where a budget ends."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from argo_ml.advising.budget import Budget
from argo_ml.config import (
    AdviseSpec,
    CalibrateSpec,
    QuestionSpec,
    Spec,
    SweepSpec,
    build,
    identity_fields,
    shared_fields,
)
from argo_ml.datasets import load_questions
from argo_ml.errors import StoppedError, TrackingError
from argo_ml.exploring.calibrate import run_calibration
from argo_ml.pipeline.prompts import prompts_digest
from argo_ml.progress import QUESTIONS, OnProgress, ignore_progress
from argo_ml.results.records import Results
from argo_ml.sweep.journal import open_journal
from argo_ml.sweep.parent_run import ParentRun, stored_values
from argo_ml.sweep.resumed_spec import SOURCES
from argo_ml.sweep.running import load_results, run_sweep
from argo_ml.tracking.names import logged_params
from argo_ml.tracking.runs import STAGE, TrackedRun, Tracking

STAGE_KEY = "argo.stage_key"
SHARES = {"calibration": 0.4, "tune": 0.6, "test": 1.0}
"""Share of a budget that is spent at most once a stage has ended, so that the next ones begin."""

QUESTIONS_DIGEST, CORPUS_DIGEST = "questions_digest", "corpus_digest"
CONTENTS: Mapping[str, str] = {
    QUESTIONS_DIGEST: "questions",
    CORPUS_DIGEST: "documents",
    "prompts_digest": "prompts",
}
"""Digests that a stage has as parameters, and what they are of."""

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


@dataclass
class Progress:
    """Remembers how many questions of a stage are finished, for when it is cut."""

    on_progress: OnProgress
    n_questions: int = 0

    def __call__(self, unit: str, n_finished: int, n_total: int) -> None:
        if unit == QUESTIONS:
            self.n_questions = n_finished
        self.on_progress(unit, n_finished, n_total)


@dataclass
class Stages:
    """``cut`` says of the stages that a budget has ended early, why.

    ``digests`` are of what all stages are made of: one with others was made before that changed.
    """

    spec: AdviseSpec
    run: TrackedRun
    tracking: Tracking
    budget: Budget
    on_progress: OnProgress
    digests: Mapping[str, str] = field(default_factory=dict)
    cut: dict[str, str] = field(default_factory=dict)

    def calibration(self, n_questions: int, fewest: int) -> tuple[str, int] | None:
        """Run id of the calibration and its number of questions; None where a budget ended before
        there were ``fewest``."""

        def explore(n: int, on_progress: OnProgress) -> str:
            return self._calibrated(self.spec.calibrate(n), on_progress)

        return self._within_budget("calibration", n_questions, fewest, explore)

    def sweep(
        self, stage: str, n_questions: int, fewest: int, make: Callable[[int], SweepSpec]
    ) -> tuple[Results, int] | None:
        def sweep(n: int, on_progress: OnProgress) -> Results:
            return self.swept(stage, make(n), on_progress)

        return self._within_budget(stage, n_questions, fewest, sweep)

    def _within_budget(
        self, stage: str, n_questions: int, fewest: int, run: Callable[[int, OnProgress], Result]
    ) -> tuple[Result, int] | None:
        """The stage on all its questions, or on the first ones, as far as every episode of them was
        finished when the budget ended.

        What they need is in the call cache then, so that the second run costs no call.
        """
        progress = Progress(self.on_progress)
        try:
            watched = self.budget.watching(progress, SHARES[stage])
            return run(n_questions, watched), n_questions
        except StoppedError as stopped:
            self.cut[stage] = str(stopped)
            n_finished = progress.n_questions
            logger.warning(
                "%s; %d of %d %s questions are finished", stopped, n_finished, n_questions, stage
            )
            if n_finished < fewest:
                return None
            return run(n_finished, self.on_progress), n_finished

    def _calibrated(self, spec: CalibrateSpec, on_progress: OnProgress) -> str:
        known = self._finished("calibration", spec)
        if known:
            return known
        parent = self._parent("calibration", spec)
        return run_calibration(spec, on_progress, parent).run_id

    def swept(
        self, stage: str, spec: SweepSpec, on_progress: OnProgress = ignore_progress
    ) -> Results:
        """The sweep of a stage, as it was finished before or now."""
        known = self._finished(stage, spec)
        if known:
            return load_results(self.tracking, known)
        results = run_sweep(spec, on_progress, self._parent(stage, spec))
        self._forget_unfinished(stage)
        return results

    def _forget_unfinished(self, stage: str) -> None:
        """Remove the journals of sweeps of the stage that were cut off: none is gone on with."""
        for child in self.tracking.children(self.run.run_id):
            if child.data.tags.get(STAGE) == stage and child.info.status != "FINISHED":
                with (
                    contextlib.suppress(TrackingError),
                    open_journal(self.spec, child.info.run_id) as journal,
                ):
                    journal.remove()

    def _parent(self, stage: str, spec: Spec) -> ParentRun:
        logger.info("%s", STARTS[stage])
        tags = {STAGE: stage, STAGE_KEY: stage_key(spec)}
        return ParentRun(self.run, self.tracking, tags, name=stage)

    def _finished(self, stage: str, spec: CalibrateSpec | SweepSpec) -> str:
        """The run id of a finished child that did the same, with the contents that are there now;
        empty where there is none."""
        wanted = (stage, stage_key(spec))
        for child in self.tracking.children(self.run.run_id):
            tags, run_id = child.data.tags, str(child.info.run_id)
            is_same = (tags.get(STAGE), tags.get(STAGE_KEY)) == wanted
            if not is_same or child.info.status != "FINISHED":
                continue
            changed = self._changed(spec, logged_params(child))
            if not changed:
                logger.info("%s: done before, as run %s", stage, run_id)
                return run_id
            logger.warning("%s: run %s is of other %s; it is done again", stage, run_id, changed)
        return ""

    def _changed(self, spec: CalibrateSpec | SweepSpec, params: Mapping[str, str]) -> str:
        """What has changed since a stage with these parameters was made; empty: nothing."""
        for name, digest in self.digests.items():
            if params.get(name, digest) != digest:
                return CONTENTS[name]
        before = params.get(QUESTIONS_DIGEST, "")
        asked = build(QuestionSpec, shared_fields(spec, QuestionSpec))
        is_same = not before or load_questions(asked, before).digest == before
        return "" if is_same else CONTENTS[QUESTIONS_DIGEST]


STARTS = {
    "explored": "comparing fixed plans on the explored questions",
    "calibration": "1 of 3: exploring the calibration split",
    "tune": "2 of 3: choosing a policy for every price on the tune split",
    "test": "3 of 3: confirming it on the test split",
}


def stage_key(spec: Spec) -> str:
    """A hash of what can change the results of a stage, the same wherever it is asked for from."""
    values = stored_values(spec)
    names = {*identity_fields(spec), *SOURCES} & values.keys()
    text = json.dumps({name: values[name] for name in names}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def opened(
    spec: AdviseSpec,
    run: TrackedRun,
    tracking: Tracking,
    make_budget: Callable[[Callable[[], list[str]]], Budget],
    on_progress: OnProgress,
    corpus_digest: str,
) -> Stages:
    """The stages of a study of these documents, whose calls count as those of its children."""
    children = partial(tracking.children, run.run_id)
    budget = make_budget(lambda: [str(child.info.run_id) for child in children()])
    digests = {CORPUS_DIGEST: corpus_digest, "prompts_digest": prompts_digest()}
    return Stages(spec, run, tracking, budget, on_progress, digests)
