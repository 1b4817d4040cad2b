"""How texts name the questions and the model that results are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from argo_ml.results.question_rows import row_values
from argo_ml.results.records import Results


def has_difficulties(results: Results) -> bool:
    """Whether any question has a difficulty; where none has, the spec's says nothing."""
    return any(
        difficulty
        for cell in results.cells[:1]
        for (difficulty,) in row_values(cell.questions, "difficulty")
    )


def described_questions(results: Results) -> str:
    """``10 hard atlas questions``; ``5 jsonl questions`` where they have no difficulty."""
    n = max(len(cell.questions) for cell in results.cells)
    noun = "question" if n == 1 else "questions"
    return " ".join([str(n), *_kind(results), str(results.spec["dataset"]), noun])


def asked_questions(questions: str, difficulty: str, dataset: str) -> str:
    """What was asked for, before it is known whether questions of one's own have a difficulty.

    ``hard atlas questions``, or ``questions of mine.jsonl`` where ``questions`` names a file.
    """
    if questions:
        return f"questions of {Path(questions).name}"
    kind = "all-difficulty" if difficulty == "all" else difficulty
    return f"{kind} {dataset} questions"


def source_name(results: Results) -> str:
    """``atlas, hard``; ``jsonl`` where the questions have no difficulty."""
    return ", ".join([str(results.spec["dataset"]), *_kind(results)])


def model_name(spec: Mapping[str, Any]) -> str:
    return Path(str(spec["model"])).name


def told_apart(models: Sequence[str]) -> dict[str, str]:
    """The last part of every model's name or path, with as many before it as make all differ."""
    parts = {model: Path(model).parts for model in models}
    for n in range(1, max(map(len, parts.values()), default=0) + 1):
        names = {model: str(Path(*own[-n:])) for model, own in parts.items()}
        if len(set(names.values())) == len(names):
            return names
    return {model: model for model in models}


def _kind(results: Results) -> list[str]:
    if not has_difficulties(results):
        return []
    difficulty = str(results.spec["difficulty"])
    return ["all-difficulty" if difficulty == "all" else difficulty]


def listed_floors(floors: Mapping[str, float]) -> str:
    """Accuracies without a model, by name; empty where no question has choices to guess among."""
    if not any(floors.values()):
        return ""
    return ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in floors.items())
