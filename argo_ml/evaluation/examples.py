"""A few questions on which strategies differ, step by step: what the report shows of episodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pydantic import TypeAdapter

from argo_ml.evaluation.breakdowns import middle_price
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.results.metrics import retrieval_calls
from argo_ml.results.records import CellResult, QuestionResult, Record, Results

N_EXAMPLES = 3
MOST_CHARACTERS = 400
"""Of a passage or an answer; what is longer is cut with an ellipsis."""

Trajectory = Mapping[str, Any]
"""A line of a cell's trajectories."""


class ExamplePassage(Record):
    title: str
    text: str
    similarity: float


class ExampleStep(Record):
    """A step, and how many ``times`` in a row it was taken with the same result.

    ``fallback``: the decomposer gave nothing usable, so that the question itself was asked.
    """

    action: str
    asked: str
    answered: str
    succeeded: bool
    fallback: bool
    passages: tuple[ExamplePassage, ...] = ()
    times: int = 1


class ExampleEpisode(Record):
    """What the ``strategies`` did, all alike, and what they answered."""

    strategies: tuple[str, ...]
    answer: str
    correct: bool
    cost: float
    stop_reason: str
    steps: tuple[ExampleStep, ...]

    @property
    def n_steps(self) -> int:
        return sum(step.times for step in self.steps)


class Example(Record):
    """A question at one price under every strategy; ``gold`` are texts."""

    question: str
    choices: tuple[str, ...]
    gold: tuple[str, ...]
    retrieval_cost: float
    episodes: tuple[ExampleEpisode, ...]


EXAMPLES: TypeAdapter[tuple[Example, ...]] = TypeAdapter(tuple[Example, ...])
"""Reads and writes ``examples.json``."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A question under the methods of one price."""

    index: int
    rows: Sequence[QuestionResult]

    @property
    def disagreement(self) -> int:
        """How many strategies are in the smaller of those right and those wrong."""
        n_right = sum(row.correct for row in self.rows)
        return min(n_right, len(self.rows) - n_right)

    @property
    def benefit(self) -> float:
        """Share right among those that retrieved minus that among the others; 0 without either."""
        with_ = [float(row.correct) for row in self.rows if retrieval_calls(row)]
        without = [float(row.correct) for row in self.rows if not retrieval_calls(row)]
        return fmean(with_) - fmean(without) if with_ and without else 0.0

    @property
    def n_behaviors(self) -> int:
        return len({(row.actions, row.answer) for row in self.rows})


def pick_questions(results: Results) -> list[int]:
    """Indices of at most three questions that some strategies answer right and others wrong, as far
    as there are: where retrieving helped most, where it helped least or harmed, and where
    strategies disagree most among the others."""
    methods = [cell for cell in _cells(results) if not is_ceiling(cell.strategy)]
    if len(methods) < 2:
        return []
    by_question = zip(*(cell.questions for cell in methods), strict=True)
    rows = [_Row(index, own) for index, own in enumerate(by_question)]
    picked: list[_Row] = []
    for worth in (
        lambda row: (row.disagreement > 0, row.benefit, row.disagreement),
        lambda row: (row.disagreement > 0, -row.benefit, row.disagreement),
        lambda row: (row.disagreement, row.n_behaviors),
    ):
        rest = [row for row in rows if row not in picked]
        picked += [max(rest, key=worth)] if rest else []
    return [row.index for row in picked]


def make_examples(
    results: Results,
    trajectories: Mapping[str, Sequence[Trajectory]],
    passages: Mapping[str, Mapping[str, str]],
) -> tuple[Example, ...]:
    """The examples at the middle price.

    ``trajectories`` are by the run of a cell, `example_cells` among them, and ``passages`` by id.
    """
    cells = _cells(results)
    examples = []
    for index in pick_questions(results):
        shown = [(cell, trajectories[cell.run_id][index]) for cell in cells]
        line = shown[0][1]
        choices = tuple(line["choices"])
        examples.append(
            Example(
                question=line["question"],
                choices=choices,
                gold=gold_texts(line),
                retrieval_cost=middle_price(results.prices),
                episodes=tuple(_episodes(shown, index, passages)),
            )
        )
    return tuple(examples)


def example_cells(results: Results) -> list[CellResult]:
    """The cells whose trajectories examples are taken from; none where there is nothing to
    compare."""
    return _cells(results) if pick_questions(results) else []


def gold_texts(line: Trajectory) -> tuple[str, ...]:
    """The right answers of a trajectory's question; of choices their texts."""
    choices = line["choices"]
    return tuple(str(choices[gold]) if choices else str(gold) for gold in line["gold"])


def _cells(results: Results) -> list[CellResult]:
    at = middle_price(results.prices)
    return [cell for cell in results.cells if cell.retrieval_cost == at]


def _episodes(
    shown: Sequence[tuple[CellResult, Trajectory]],
    index: int,
    passages: Mapping[str, Mapping[str, str]],
) -> Iterator[ExampleEpisode]:
    """One per behavior, with all strategies that it is that of."""
    by_behavior: dict[ExampleEpisode, list[str]] = {}
    for cell, line in shown:
        episode = ExampleEpisode(
            strategies=(),
            answer=_cut(str(line["answer"])),
            correct=cell.questions[index].correct,
            cost=cell.questions[index].cost,
            stop_reason=str(line["stop_reason"]),
            steps=tuple(_joined(_step(step, passages) for step in line["steps"])),
        )
        by_behavior.setdefault(episode, []).append(cell.strategy)
    for episode, strategies in by_behavior.items():
        yield episode.model_copy(update={"strategies": tuple(strategies)})


def _step(step: Mapping[str, Any], passages: Mapping[str, Mapping[str, str]]) -> ExampleStep:
    return ExampleStep(
        action=step["action"],
        asked=_cut(step.get("query") or step["sub_question"]),
        answered=_cut(step["sub_answer"] or ""),
        succeeded=step["succeeded"],
        fallback=step["fallback"],
        passages=tuple(
            ExamplePassage(
                title=passages.get(hit["passage_id"], {}).get("title", hit["passage_id"]),
                text=_cut(passages.get(hit["passage_id"], {}).get("text", "")),
                similarity=hit["similarity"],
            )
            for hit in step["evidence"]
        ),
    )


def _joined(steps: Iterable[ExampleStep]) -> list[ExampleStep]:
    """The steps, with those that repeat the one before counted instead of shown.

    Whether the decomposer fell back is told of the first alone.
    """
    joined: list[ExampleStep] = []
    for step in steps:
        last = joined[-1].model_copy(update={"times": 1}) if joined else None
        if last is not None and last == step.model_copy(update={"fallback": last.fallback}):
            joined[-1] = joined[-1].model_copy(update={"times": joined[-1].times + 1})
        else:
            joined.append(step)
    return joined


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1].rstrip() + "…"
