"""One shard of questions under all cells: the episodes to run, and the record of what they did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from argo_ml.engine.loop import Finished
from argo_ml.models.base import Generation, Scoring
from argo_ml.pipeline.episode import run_episode
from argo_ml.pipeline.known import Known
from argo_ml.pipeline.requests import Requesting
from argo_ml.results.shard import ShardRecord
from argo_ml.results.trajectories import cited_passages, passage_record, question_result, trajectory
from argo_ml.state import Outcome
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.oracle_episodes import OracleEpisodes
from argo_ml.types import Question


def episodes(
    pairs: Iterable[tuple[Cell, Question]], known: defaultdict[Hashable, Known]
) -> list[Requesting[Outcome]]:
    """Begin an episode of each cell and question; those that may share what is known do."""
    return [
        run_episode(
            question, cell.policy, cell.pipeline, known[question.id, cell.pipeline.knowledge]
        )
        for cell, question in pairs
    ]


class ShardEpisodes:
    """The episodes of some questions under all cells, which the engine runs together.

    Cells whose strategy knows the answers are the oracle's; all others have an ordinary episode of
    each question.
    """

    def __init__(self, questions: Sequence[Question], cells: Sequence[Cell]) -> None:
        known: defaultdict[Hashable, Known] = defaultdict(Known)
        self._cells = cells
        self._pairs = [(cell, question) for cell in cells for question in questions]
        self._ordinary = [pair for pair in self._pairs if not pair[0].knows_answers]
        self._oracle = OracleEpisodes(
            [pair for pair in self._pairs if pair[0].knows_answers], known
        )
        self.episodes = [*episodes(self._ordinary, known), *self._oracle.episodes]

    def counted(self, on_progress: Callable[[int], None]) -> Callable[[int], None]:
        """Reports at most one episode of each cell and question, however many are tried."""
        return lambda n_finished: on_progress(min(n_finished, len(self._pairs)))

    def in_order(self, done: Sequence[Finished]) -> list[Finished]:
        """What the engine made of the episodes, as one for each cell and question in order."""
        n_ordinary = len(self._ordinary)
        ordinary, trials = iter(done[:n_ordinary]), done[n_ordinary:]
        by_price: defaultdict[tuple[str, float], list[Outcome]] = defaultdict(list)
        for (cell, question), finished in zip(self._ordinary, done, strict=False):
            by_price[question.id, cell.spec.retrieval_cost].append(finished.outcome)
        knowing = iter(self._oracle.in_order(trials, by_price))
        return [next(knowing if cell.knows_answers else ordinary) for cell, _ in self._pairs]

    def record(
        self, done: Sequence[Finished], key: Callable[[Generation | Scoring], str]
    ) -> ShardRecord:
        """The shard's record; ``key`` gives a request's key in the cache of calls."""
        finished = self.in_order(done)
        cited = cited_passages(episode.outcome for episode in finished)
        record = ShardRecord(
            results={cell.id: [] for cell in self._cells},
            trajectories={cell.id: [] for cell in self._cells},
            passages={passage_id: passage_record(cited[passage_id]) for passage_id in cited},
            paid={cell.id: [] for cell in self._cells},
        )
        for (cell, question), episode in zip(self._pairs, finished, strict=True):
            record.results[cell.id].append(question_result(question, episode))
            record.trajectories[cell.id].append(trajectory(question, episode.outcome))
            record.paid[cell.id].append([key(request) for request in episode.paid])
        return record
