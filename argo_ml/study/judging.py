"""The best settings of a study run on questions that no trial has seen, beside references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from optuna.trial import FrozenTrial

from argo_ml.config import CellSpec, ContextSpec, ExperimentSpec, StudySpec, build
from argo_ml.datasets import load_questions
from argo_ml.errors import DataError
from argo_ml.progress import OnProgress
from argo_ml.results.metrics import utilities
from argo_ml.results.records import CellResult, Results
from argo_ml.results.study import Difference, settings_of
from argo_ml.statistics.resampling import resample
from argo_ml.study.search import Search
from argo_ml.study.space import cell_spec
from argo_ml.sweep.calibration_source import check_unseen
from argo_ml.sweep.cell_run import open_cell_runs
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.journal import open_journal
from argo_ml.sweep.stages import run_cells

REFERENCES = ("argo", "always_retrieve", "always_reason", "random")
"""What the best settings are compared with: untuned ARGO first, then the baselines."""
SHARD_SIZE = 50
"""Least questions that run together on the test split: nothing is pruned there, and large batches
are faster."""


def open_test_context(context: LocalContext[StudySpec]) -> LocalContext[ExperimentSpec]:
    """The same model and corpus with the questions of the test split.

    Raises `DataError` where the two splits share a question and `ConfigError` where the test split
    and the calibration do.
    """
    spec, n_questions = context.spec, len(context.questions.questions)
    values = {**spec.shared(), "split": spec.test_split, "n_questions": n_questions}
    test_spec = build(ExperimentSpec, values)
    questions = load_questions(test_spec)
    if context.calibration is not None:
        check_unseen(context.calibration, test_spec, questions.questions)
    seen = {question.id for question in context.questions.questions}
    shared = sorted(seen & {question.id for question in questions.questions})
    if shared:
        raise DataError(
            f"test_split={spec.test_split} shares {len(shared)} questions with "
            f"split={spec.split}, such as {shared[0]}"
        )
    return replace(context, questions=questions).with_spec(test_spec)


def judge(
    search: Search,
    tests: LocalContext[ContextSpec],
    chosen: Mapping[float, FrozenTrial],
    on_progress: OnProgress,
) -> Results:
    """Run the best settings and the references on the test questions."""
    spec = search.spec
    shard_size = max(spec.shard_size, SHARD_SIZE)
    values = {**spec.shared(), "split": spec.test_split, "shard_size": shard_size}
    test_spec = build(ExperimentSpec, values)
    specs: list[CellSpec] = []
    for price, trial in chosen.items():
        base = {**test_spec.model_dump(), "retrieval_cost": price}
        specs += [build(CellSpec, {**base, "strategy": strategy}) for strategy in REFERENCES]
        tuned = cell_spec(spec, settings_of(trial.user_attrs), price)
        here = {"split": spec.test_split, "shard_size": shard_size}
        specs.append(tuned.model_copy(update=here))
    # The best settings may be those of a reference.
    context = tests.with_spec(test_spec)
    cells = prepare_cells(list(dict.fromkeys(specs)), context)
    cell_runs = open_cell_runs(cells, context, search.tracking, search.run)
    with open_journal(spec, search.run.run_id) as journal:
        results = run_cells(
            context, search.run, cell_runs, journal, on_progress, search.evaluator.times
        )
        journal.remove()
    return results


def judged_cells(
    results: Results, price: float, strategy: str
) -> tuple[CellResult, Sequence[CellResult]]:
    """The cell of the best settings at a price, and those of `REFERENCES`."""
    at_price = [cell for cell in results.cells if cell.retrieval_cost == price]
    # The references come first; where the best settings are those of one, it is their cell too.
    tuned = [cell for cell in at_price if cell.strategy == strategy][-1]
    return tuned, at_price[: len(REFERENCES)]


def utility_difference(tuned: CellResult, reference: CellResult, mu: float) -> Difference:
    differences = np.subtract(utilities(tuned, mu), utilities(reference, mu))
    [resampled] = resample([differences])
    estimate = resampled.estimate
    return Difference(
        strategy=reference.strategy,
        mean=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        sign=resampled.sign,
    )
