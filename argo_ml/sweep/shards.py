"""One shard of questions run through all cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from argo_ml.engine.loop import Engine
from argo_ml.engine.shards import Shard
from argo_ml.pipeline.episode import run_episode
from argo_ml.pipeline.known import Known
from argo_ml.pipeline.requests import Requesting
from argo_ml.results.shard import ShardRecord
from argo_ml.results.trajectories import cited_passages, passage_record, question_result, trajectory
from argo_ml.state import Outcome
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.oracle_episodes import run_pairs
from argo_ml.types import Question


def episodes(
    pairs: Iterable[tuple[Cell, Question]], known: defaultdict[Hashable, Known]
) -> list[Requesting[Outcome]]:
    """An episode of each cell and question; those that may share what is known do."""
    return [
        run_episode(
            question, cell.policy, cell.pipeline, known[question.id, cell.pipeline.knowledge]
        )
        for cell, question in pairs
    ]


def run_shard(
    shard: Shard,
    cells: Sequence[Cell],
    engine: Engine,
    on_progress: Callable[[int], None],
) -> ShardRecord:
    """All cells for the shard's questions; ``on_progress`` is told the episodes finished so far."""
    pairs = [(cell, question) for cell in cells for question in shard.questions]
    finished = run_pairs(pairs, engine, defaultdict(Known), on_progress)
    record = ShardRecord(
        results={cell.id: [] for cell in cells},
        trajectories={cell.id: [] for cell in cells},
        passages={
            key: passage_record(passage)
            for key, passage in cited_passages(done.outcome for done in finished).items()
        },
        paid={cell.id: [] for cell in cells},
    )
    for (cell, question), done in zip(pairs, finished, strict=True):
        record.results[cell.id].append(question_result(question, done))
        record.trajectories[cell.id].append(trajectory(question, done.outcome))
        record.paid[cell.id].append([engine.key(request) for request in done.paid])
    return record
