"""A point of an explored history."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Node(Part):
    """A point of a question's explored history, reached by ``actions``.

    ``features`` are those of `argo_ml.calibration.features`, ``confidence`` is p-hat by models that
    have not seen the question, ``succeeded`` whether the last action found something.
    """

    question: int
    """Index of its question."""
    actions: tuple[str, ...]
    features: tuple[float, ...]
    correct: bool
    succeeded: bool = True
    confidence: float
    gold_probability: float | None = None
    """What the model gives to the right choices, whichever it takes; None without choices that were
    scored, and in calibrations of earlier versions."""
