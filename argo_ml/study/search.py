"""The trials of one worker: begun under the study's lock, run, pruned or completed."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from argo_ml.calibration.record import Calibration
from argo_ml.config import CellSpec, StudySpec
from argo_ml.config.study import THRESHOLDS
from argo_ml.interruption import uninterrupted
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.progress import TRIALS, OnProgress
from argo_ml.results.records import QuestionResult
from argo_ml.results.study import settings_of
from argo_ml.study import storage, trial_run, trials
from argo_ml.study.evaluation import Evaluator
from argo_ml.study.objectives import Objective, Rows, front, is_clearly_worse, values
from argo_ml.study.reconciliation import requeue_lost
from argo_ml.study.space import SearchSpace, cell_spec
from argo_ml.study.storage import StudyStore
from argo_ml.sweep.cells import cell_process
from argo_ml.tracking.runs import TrackedRun, Tracking

WAIT_S = 1.0
MEASURED = ("accuracy", "cost", "retrieval_calls")
"""What Optuna knows of a trial beside its values."""
DEFAULT_PRICE = CellSpec().retrieval_cost
logger = logging.getLogger(__name__)


class Turn(Enum):
    """What a worker's turn came to."""

    RAN = "ran a trial"
    OTHERS_RUN = "others run the trials that are left"
    ENOUGH = "as many as wanted are finished"


@dataclass(frozen=True, slots=True)
class Begun:
    """A trial that has begun, its run, and its settings."""

    trial: Trial
    run: TrackedRun
    settings: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Search:
    """What a worker needs to run trials of a study."""

    spec: StudySpec
    store: StudyStore
    study: optuna.Study
    space: SearchSpace
    objective: Objective
    evaluator: Evaluator
    tracking: Tracking
    run: TrackedRun

    def work(self, on_progress: OnProgress) -> int:
        """Run trials until enough are finished anywhere; returns how many this worker ran."""
        n_run = 0
        while (turn := self._run_next(on_progress)) is not Turn.ENOUGH:
            if turn is Turn.RAN:
                n_run += 1
                continue
            # Another worker's trial is running; if that worker has died, it is queued again.
            time.sleep(WAIT_S)
            with self.store.lock:
                requeue_lost(self.study, self.store, self.tracking)
        return n_run

    def _run_next(self, on_progress: OnProgress) -> Turn:
        """Run one trial, unless as many as wanted are finished or running.

        Counting and beginning happen under the study's lock, so that workers together run exactly
        as many, and a trial that nobody holds the lock for has its run or is lost.
        """
        begun = None
        try:
            with self.store.lock:
                taken = storage.in_states(self.study, *storage.TAKEN)
                complete = [trial for trial in taken if trial.state is TrialState.COMPLETE]
                n_done = sum(trial.state in storage.DONE for trial in taken)
                on_progress(TRIALS, n_done, max(self.spec.n_trials, n_done))
                if n_done >= self.spec.n_trials:
                    return Turn.ENOUGH
                if len(taken) >= self.spec.n_trials:
                    return Turn.OTHERS_RUN
                with uninterrupted():
                    begun = self._begin()
            objective = partial(self._run, begun, complete)
            trials.run(self.study, begun.trial, begun.run.run_id, objective)
        except KeyboardInterrupt:
            if begun is not None:
                self._give_back(begun)
            raise
        return Turn.RAN

    def _begin(self) -> Begun:
        trial = trials.ask(self.study)
        settings = self.space.settings(trial)
        run = trial_run.start(self.tracking, self.run, trial.number)
        # In this order: `reconcile` finds and ends a run whose trial does not know it.
        storage.begin_trial(trial, run.run_id, settings)
        return Begun(trial, run, settings)

    def _give_back(self, begun: Begun) -> None:
        """Let an interrupted trial run again, unless another worker has taken it over."""
        with self.store.lock:
            if trials.is_of(self.study, begun.trial, begun.run.run_id):
                self.store.requeue(self.study, begun.trial._trial_id)

    def _run(self, begun: Begun, complete: Sequence[FrozenTrial]) -> Sequence[float]:
        with begun.run.recording_failure():
            begun.run.log(params={"strategy": self.spec.strategy, **begun.settings})
            leaders = self._leaders(complete) if self.spec.pruning else []
            rows, is_pruned = self._evaluate(begun, leaders)
        if is_pruned:
            raise optuna.TrialPruned(f"clearly worse after {len(rows)} questions")
        return values(self.objective, rows)

    def _evaluate(self, begun: Begun, leaders: Sequence[Rows]) -> tuple[list[QuestionResult], bool]:
        """The rows of all questions, or of the first ones and True."""
        trial, run, settings = begun.trial, begun.run, begun.settings
        cell = self.evaluator.cell(settings)
        rows: list[QuestionResult] = []
        curve: dict[int, Sequence[float]] = {}
        is_pruned = False
        for block in self.evaluator.blocks(cell, self.billed_to(trial.number)):
            rows.extend(block.rows)
            curve[len(rows)] = values(self.objective, rows)
            if len(self.objective.directions) == 1:
                trials.report(trial, curve[len(rows)][0], len(rows))
            is_last = len(rows) == self.evaluator.n_questions
            is_pruned = not is_last and is_clearly_worse(self.objective, rows, leaders)
            if is_pruned:
                break
        state = TrialState.PRUNED if is_pruned else TrialState.COMPLETE
        if state is TrialState.COMPLETE:
            self.evaluator.remember(settings, rows)
        metrics = trial_run.trial_metrics(self.spec, self.objective, cell, rows)
        measured = {name: metrics[name] for name in MEASURED}
        trials.describe(self.study, trial, run.run_id, measured)
        trial_run.store(run, self.objective, metrics, curve, state)
        return rows, is_pruned

    def _leaders(self, complete: Sequence[FrozenTrial]) -> list[Rows]:
        """Rows of the complete trials that no other dominates; of equals the first."""
        return [self.rows_of(trial) for trial in front(self.objective, complete)]

    def rows_of(self, trial: FrozenTrial) -> Rows:
        """All questions of a complete trial, from what is known or the call cache."""
        return self.evaluator.rows(settings_of(trial.user_attrs), self.billed_to(trial.number))

    def billed_to(self, number: int) -> str:
        """What the calls of a trial are billed to."""
        return f"{self.run.run_id}/{number}"


def seeds(
    spec: StudySpec, space: SearchSpace, calibration: Calibration | None = None
) -> list[dict[str, float]]:
    """Trials to begin with, as the space encodes them: settings that are known to be sensible.

    The defaults, or what the ranges have nearest to them, with the solver's thresholds at each
    price, by the gains that trials advance by, Always-Retrieve and Always-Reason up to the same
    threshold, the thresholds of the original study's middle price, and answering at once.
    Thresholds that a range excludes are left out. Those with fewest steps come first: the first
    trial runs whole, and what it finds lets dearer ones be pruned.
    """
    searched = [name for name in spec.ranges if name not in THRESHOLDS]
    defaults = {name: space.nearest(name, _default(spec, name)) for name in searched}
    processes = [
        cell_process(cell_spec(spec, defaults, price), calibration)
        for price in (*spec.retrieval_costs, DEFAULT_PRICE)
    ]
    pairs = [(solved.theta_cont, solved.theta_star) for solved in map(solve, processes)]
    # The corners: retrieving only, and reasoning only, up to the first pair's second threshold.
    theta_star = pairs[0][1]
    pairs += [(theta_star, theta_star), (0.0, theta_star), (0.0, 0.0)]
    pairs.sort(key=lambda pair: n_steps(processes[0], *pair))
    encoded = [
        space.encode({**defaults, "theta_cont": theta_cont, "theta_star": theta_star})
        for theta_cont, theta_star in dict.fromkeys(pairs)
    ]
    distinct = {tuple(sorted(point.items())): point for point in encoded if point is not None}
    if not distinct:
        logger.warning("all known settings lie outside the ranges searched; the study begins blind")
    elif None in encoded:
        logger.info("%d of the known settings lie outside the ranges searched", encoded.count(None))
    return list(distinct.values())


def _default(spec: StudySpec, name: str) -> float:
    """The value of a parameter where it is not searched."""
    if name == "policy_mu" and spec.policy_mu is None:
        return spec.mu
    value: float = spec.similarity_limit if name == "min_similarity" else getattr(spec, name)
    return value


def n_steps(process: MDPSpec, theta_cont: float, theta_star: float) -> int:
    """Steps of an episode under these thresholds where every retrieval succeeds."""
    n_retrievals = math.ceil(round(theta_cont / process.delta_r, 9))
    missing = theta_star - n_retrievals * process.delta_r
    return n_retrievals + max(0, math.ceil(round(missing / process.delta_p, 9)))
