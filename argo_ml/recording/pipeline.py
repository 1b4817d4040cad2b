"""The pipeline contract: callables from a list of questions to a list of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from argo_ml.errors import ConfigError

Answers: TypeAlias = Callable[[list[str]], Any]
"""Answers questions, one answer for each in their order; a coroutine function is awaited."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question under way, for a pipeline that continues: its text, and the answers until now.

    An answer has ``answer``, its text, and whatever else the pipeline gave with it.
    """

    question: str
    answers: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Somebody's way of answering: ``without`` retrieval, and with one ``with_retrieval``.

    ``further`` takes questions with the answers until now, and answers after one more retrieval.
    """

    without: Answers
    with_retrieval: Answers
    further: Callable[[list[Asked]], Any] | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            part = getattr(self, name)
            if not callable(part) and not (name == "further" and part is None):
                raise ConfigError(
                    f"pipeline: {name}={part!r:.60} cannot be called; give a function from a list "
                    "of questions to a list of answers"
                )


def as_pipeline(given: Pipeline | Sequence[Callable[..., Any]]) -> Pipeline:
    """Two or three callables as a pipeline. Raises `ConfigError` for anything else."""
    if isinstance(given, Pipeline):
        return given
    if isinstance(given, (tuple, list)) and len(given) in (2, 3):
        return Pipeline(*given)
    raise ConfigError(
        f"pipeline={given!r:.60}: give two callables, answering without and with retrieval, and a "
        "third that continues where there is one"
    )
