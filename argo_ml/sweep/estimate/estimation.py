"""Calls, tokens, time and disk of a sweep, from a simulation and the model's speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from argo_ml.config import EstimateSpec, ExperimentSpec
from argo_ml.datasets import check_dataset
from argo_ml.policies.checking import check_strategies
from argo_ml.progress import OnProgress, duration, ignore_progress
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.context import LocalContext, prepare_cells
from argo_ml.sweep.estimate.simulation import Calls, simulate
from argo_ml.sweep.estimate.speed_profile import (
    SpeedProfile,
    measure_speed,
    store_profile,
    stored_profile,
)
from argo_ml.types import Component, Question

SAMPLE = 10
"""Questions that are simulated, evenly out of all; where the speed was measured as many of those
that it was measured on, and of the others."""
WORTH_MEASURING = 100
"""Missing calls below which a sweep is not held up to measure the model's speed."""
CALL_BYTES = 600
EPISODE_BYTES = 5_000
CELL_BYTES = 150_000
"""On disk: in the call cache; of trajectories, tables and results; of figures and the database.
Seen with `make small`, as are these two."""
CELL_S = 0.3
"""Seconds to log a cell and draw its figures."""
EPISODE_S = 0.003
"""Seconds of the engine, the call cache and retrieval for an episode."""


@dataclass(frozen=True, slots=True)
class SweepEstimate:
    """``seconds`` is None where the model's speed is not known.

    ``call_seconds`` are those of a call by component, ``model_seconds`` those of all that are
    missing.
    """

    n_cells: int
    n_questions: int
    needed: int
    missing: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    disk_bytes: int
    call_seconds: Mapping[Component, float]
    model_seconds: float

    def spent(self, executed: Mapping[Component, float]) -> float:
        """Seconds that these calls were estimated to take."""
        return sum(count * self.call_seconds[component] for component, count in executed.items())

    @property
    def lines(self) -> tuple[str, ...]:
        """What the user is shown."""
        time_text = "unknown" if self.seconds is None else f"about {duration(self.seconds)}"
        return (
            f"estimate: {self.needed:,} calls needed by {self.n_cells} cells on "
            f"{self.n_questions} questions, about {self.missing:,} to be made, with "
            f"{self.prompt_tokens:,} prompt and {self.completion_tokens:,} new tokens",
            f"estimate: time {time_text}, disk {self.disk_bytes / 1e6:,.0f} MB",
        )

    @property
    def metrics(self) -> dict[str, float]:
        metrics = {
            "estimated_lm_calls": float(self.needed),
            "estimated_lm_calls_paid": float(self.missing),
        }
        return metrics if self.seconds is None else {**metrics, "estimated_seconds": self.seconds}


def run_estimate(spec: EstimateSpec, on_progress: OnProgress = ignore_progress) -> SweepEstimate:
    """Open what the sweep would open and estimate all of it.

    Raises `ArgoError` for whatever the sweep itself would not run with.
    """
    check_dataset(spec.dataset, spec.given_documents)
    check_strategies(spec.strategies, spec)
    context = LocalContext.open(spec, on_progress)
    cells = prepare_cells(context.spec.cells(), context)
    questions = context.questions.questions
    return estimate(context, questions, cells, billed_to="estimate", always_measure=True)


def estimate(
    context: LocalContext[ExperimentSpec],
    questions: Sequence[Question],
    cells: Sequence[Cell],
    billed_to: str,
    always_measure: bool = False,
) -> SweepEstimate:
    """What ``cells`` will take on ``questions``.

    Where many calls are missing, the speed of a model that was not seen on this machine yet is
    measured on the first shard, with ``always_measure`` that of any model; it is billed to
    ``billed_to``. Its calls are made then.
    """
    spec, identity = context.spec, context.model.identity
    known = stored_profile(spec.cache_path, identity)
    calls = _calls_of([questions], cells, context, known or SpeedProfile())
    is_unknown = known is None and calls.missing.total() >= WORTH_MEASURING
    if calls.missing and (is_unknown or always_measure):
        first, others = questions[: spec.shard_size], questions[spec.shard_size :]
        known = measure_speed(first, cells, context, billed_to)
        if known.seconds:
            store_profile(spec.cache_path, identity, known)
        calls = _calls_of([first, others], cells, context, known)
    return _estimate_of(calls, len(questions), len(cells), known)


def _calls_of(
    parts: Sequence[Sequence[Question]],
    cells: Sequence[Cell],
    context: LocalContext[ExperimentSpec],
    speed: SpeedProfile,
) -> Calls:
    """The calls of all questions, of which each part is sampled by itself."""
    calls = Calls()
    for part in filter(None, parts):
        sample = evenly_out_of(part, SAMPLE)
        calls += simulate(sample, cells, context, speed).scaled(len(part) / len(sample))
    return calls


def evenly_out_of(questions: Sequence[Question], n_most: int) -> list[Question]:
    """At most so many of the questions, from the first to the end."""
    n = min(len(questions), n_most)
    return [questions[index * len(questions) // n] for index in range(n)]


def _estimate_of(
    calls: Calls, n_questions: int, n_cells: int, known: SpeedProfile | None
) -> SweepEstimate:
    n_missing = calls.missing.total()
    n_episodes = n_questions * n_cells
    model_s = 0.0 if not n_missing else _model_seconds(calls, known)
    rest_s = n_cells * CELL_S + n_episodes * EPISODE_S
    return SweepEstimate(
        n_cells=n_cells,
        n_questions=n_questions,
        needed=calls.needed,
        missing=n_missing,
        prompt_tokens=calls.prompt_tokens,
        completion_tokens=calls.completion_tokens,
        seconds=None if model_s is None else model_s + rest_s,
        disk_bytes=n_missing * CALL_BYTES + n_episodes * EPISODE_BYTES + n_cells * CELL_BYTES,
        call_seconds={
            component: known.call_seconds(component) if known else 0.0 for component in Component
        },
        model_seconds=model_s or 0.0,
    )


def _model_seconds(calls: Calls, known: SpeedProfile | None) -> float | None:
    if known is None or not known.seconds:
        return None
    return sum(count * known.call_seconds(component) for component, count in calls.missing.items())
