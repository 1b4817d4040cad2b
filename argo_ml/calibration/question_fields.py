"""The fields of questions' metadata that part them into segments large enough to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_SEGMENTS = 20
FEWEST_QUESTIONS = 10
"""Questions of a segment, at least two of which have to have so many."""
GRADED_BY = frozenset({"difficulty", "level"})
"""A benchmark's own grade of a question, which nobody knows of one that is asked."""


def segment_fields(metadata: Sequence[Mapping[str, object]]) -> tuple[dict[str, str], ...]:
    """By question its values of the fields that part all of them; nothing where no field does."""
    names = dict.fromkeys(name for own in metadata for name in own if name not in GRADED_BY)
    kept = [name for name in names if _parts([own.get(name) for own in metadata])]
    if not kept:
        return ()
    return tuple({name: str(own.get(name, "")) for name in kept} for own in metadata)


@dataclass(frozen=True, slots=True)
class FieldIndicators:
    """A feature for every (name, value) of a calibration's fields: 1 for questions that have it."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, metadata: Sequence[Mapping[str, str]]) -> FieldIndicators:
        return cls(tuple(sorted({pair for own in metadata for pair in own.items()})))

    def knows(self, metadata: Mapping[str, object]) -> bool:
        """Whether every field has a value here that some question of the calibration has."""
        names = {name for name, _ in self.pairs}
        return all((name, self._value(metadata, name)) in self.pairs for name in names)

    def values(self, metadata: Mapping[str, object]) -> tuple[float, ...]:
        return tuple(float(self._value(metadata, name) == own) for name, own in self.pairs)

    @staticmethod
    def _value(metadata: Mapping[str, object], name: str) -> str:
        return str(metadata.get(name, ""))


def _parts(values: Sequence[object]) -> bool:
    """Whether at most `MOST_SEGMENTS` plain values, two of them often, stand there."""
    if not all(value is None or isinstance(value, (str, int)) for value in values):
        return False
    counts = Counter(map(str, values))
    n_large = sum(count >= FEWEST_QUESTIONS for count in counts.values())
    return len(counts) <= MOST_SEGMENTS and n_large > 1
