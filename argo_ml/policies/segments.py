"""Segments of questions: what can be known of a question before anything is done about it.

A level parts all questions by one thing. A chain of levels parts them further and further: by what
a question asks for, within the data set that it is from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from argo_ml.calibration.record import Calibration
from argo_ml.calibration.text_features import QUESTION_KINDS

ASKS = "asks_"
_WORDS = {"quantity": "how many or how much"}

Path = tuple[str, ...]
"""The labels of a question by level; of the first levels alone, the segment above."""


class Level(Protocol):
    """One way of parting questions."""

    def label(self, text: str, metadata: Mapping[str, object]) -> str:
        """The question's part, in words that a reader can tell it by."""


@dataclass(frozen=True, slots=True)
class AskedKind:
    """By the word that asks, as `argo_ml.calibration.text_features` reads it."""

    def label(self, text: str, metadata: Mapping[str, object]) -> str:
        if QUESTION_KINDS[f"{ASKS}quantity"](text):
            return f"asking {_WORDS['quantity']}"
        kinds = (name for name in QUESTION_KINDS if name.startswith(ASKS))
        asked = next((name for name in kinds if QUESTION_KINDS[name](text)), "")
        return f"asking {asked.removeprefix(ASKS)}" if asked else "with no asking word"


@dataclass(frozen=True, slots=True)
class MetadataField:
    """By a field of the questions' metadata, such as the data set that they are from."""

    name: str

    def label(self, text: str, metadata: Mapping[str, object]) -> str:
        return f"with {self.name}={metadata.get(self.name, '')}"


Chain = tuple[Level, ...]


def chains(calibration: Calibration) -> Iterator[Chain]:
    """The chains to choose among, the coarsest first: none, which treats all questions alike."""
    names = dict.fromkeys(name for own in calibration.metadata for name in own)
    yield ()
    yield (AskedKind(),)
    for name in names:
        yield (MetadataField(name),)
        yield (MetadataField(name), AskedKind())


def path_of(chain: Chain, text: str, metadata: Mapping[str, object]) -> Path:
    return tuple(level.label(text, metadata) for level in chain)


def paths(chain: Chain, calibration: Calibration, numbers: Sequence[int]) -> tuple[Path, ...]:
    """The segments of the calibration's questions of these numbers."""
    metadata = calibration.metadata
    return tuple(
        path_of(chain, calibration.questions[number].text, metadata[number] if metadata else {})
        for number in numbers
    )
