"""A few questions on which strategies differ, step by step: what the report shows of episodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pydantic import TypeAdapter

from argo_ml.evaluation.breakdowns import middle_price
from argo_ml.evaluation.roles import is_ceiling
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import CellResult, Record, Results
from argo_ml.types import Action

N_EXAMPLES = 3
RETRIEVE = Action.RETRIEVE.value
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
    """A question at one price under every strategy; ``gold`` are texts, and ``why`` says what it is
    an example of: empty in those of earlier versions."""

    question: str
    choices: tuple[str, ...]
    gold: tuple[str, ...]
    retrieval_cost: float
    episodes: tuple[ExampleEpisode, ...]
    why: str = ""


EXAMPLES: TypeAdapter[tuple[Example, ...]] = TypeAdapter(tuple[Example, ...])
"""Reads and writes ``examples.json``."""


@dataclass(frozen=True, slots=True)
class _Row:
    """How the methods of one price differ on a question.

    ``disagreement`` is how many strategies are in the smaller of those right and those wrong, and
    ``benefit`` the share right among those that retrieved minus that among the others; 0 without
    either.
    """

    index: int
    disagreement: int
    benefit: float
    n_behaviors: int


def _row(index: int, tried: Sequence[tuple[bool, Sequence[str], str]]) -> _Row:
    """``tried``: by method whether it was right, its actions and its answer."""
    n_right = sum(correct for correct, _, _ in tried)
    with_ = [float(correct) for correct, actions, _ in tried if RETRIEVE in actions]
    without = [float(correct) for correct, actions, _ in tried if RETRIEVE not in actions]
    return _Row(
        index=index,
        disagreement=min(n_right, len(tried) - n_right),
        benefit=fmean(with_) - fmean(without) if with_ and without else 0.0,
        n_behaviors=len({(tuple(actions), answer) for _, actions, answer in tried}),
    )


HELPED, HELPED_LEAST, HARMED = (
    "retrieving helped most",
    "retrieving helped least",
    "retrieving harmed most",
)
DISAGREE = "some strategies are right and others wrong"
DIFFER = "strategies act or answer differently, and are all right or all wrong"


def pick_questions(results: Results) -> dict[int, str]:
    """At most three questions on which strategies differ, by index, each with what it shows.

    First where retrieving helped most, then where it helped least or harmed, then where strategies
    disagree most among the others.
    """
    methods = [cell for cell in _cells(results) if not is_ceiling(cell.strategy)]
    if len(methods) < 2:
        return {}
    columns = [row_values(cell.questions, "correct", "actions", "answer") for cell in methods]
    rows = [_row(index, own) for index, own in enumerate(zip(*columns, strict=True))]
    picked = _most_and_least_helped([row for row in rows if row.disagreement])
    others = [row for row in rows if row.n_behaviors > 1 and row.index not in picked]
    others.sort(key=lambda row: (row.disagreement, row.n_behaviors), reverse=True)
    for row in others[: N_EXAMPLES - len(picked)]:
        picked[row.index] = DISAGREE if row.disagreement else DIFFER
    return picked


def _most_and_least_helped(rows: Sequence[_Row]) -> dict[int, str]:
    """Of rows on which some strategies are right and others wrong."""
    ranked = sorted(rows, key=lambda row: (-row.benefit, -row.disagreement))
    picked = {row.index: HELPED for row in ranked[:1] if row.benefit > 0.0}
    rest = [row for row in ranked if row.index not in picked]
    least = min(rest, key=lambda row: (row.benefit, -row.disagreement), default=None)
    if least is not None and least.benefit:
        picked[least.index] = HELPED_LEAST if least.benefit > 0.0 else HARMED
    return picked


def make_examples(
    results: Results,
    trajectories: Mapping[str, Iterable[Trajectory]],
    passages: Mapping[str, Mapping[str, str]],
) -> tuple[Example, ...]:
    """The examples at the middle price.

    ``trajectories`` are by the run of a cell, `example_cells` among them, and ``passages`` by id.
    """
    cells, picked = _cells(results), pick_questions(results)
    lines = {cell.run_id: _lines_at(picked, trajectories[cell.run_id]) for cell in cells if picked}
    examples = []
    for index, why in picked.items():
        shown = [(cell, lines[cell.run_id][index]) for cell in cells]
        line = shown[0][1]
        choices = tuple(line["choices"])
        examples.append(
            Example(
                question=line["question"],
                choices=choices,
                gold=gold_texts(line),
                retrieval_cost=middle_price(results.prices),
                episodes=tuple(_episodes(shown, index, passages)),
                why=why,
            )
        )
    return tuple(examples)


def _lines_at(indices: Collection[int], lines: Iterable[Trajectory]) -> dict[int, Trajectory]:
    return {index: line for index, line in enumerate(lines) if index in indices}


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
        row = cell.questions[index]
        episode = ExampleEpisode(
            strategies=(),
            answer=_cut(str(line["answer"])),
            correct=row.correct,
            cost=row.cost,
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
