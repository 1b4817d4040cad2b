"""What is said of a cache file: its contents, what was removed, what a check made of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelEntries:
    """How many calls of one model are stored; runs record its ``digest`` as ``model_digest``."""

    identity: str
    n_entries: int

    @property
    def digest(self) -> str:
        return model_digest(self.identity)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache file holds; ``seconds`` is what its calls took when they were executed.

    ``n_damaged`` rows that do not match their checksums are not counted in anything else.
    """

    path: Path
    entries: dict[str, int]
    models: tuple[ModelEntries, ...]
    size_bytes: int
    seconds: float
    n_damaged: int = 0

    @property
    def n_entries(self) -> int:
        return sum(self.entries.values())

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.entries.items()))
        summary = (
            f"{self.n_entries} calls ({kinds or 'empty'}) of {len(self.models)} "
            f"models, {self.size_bytes / 2**20:.1f} MiB, {self.seconds:.0f} s of model time"
        )
        lines = [f"{model.digest}  {model.n_entries}  {model.identity}" for model in self.models]
        if self.n_damaged:
            lines.append(f"{self.n_damaged} more are damaged; argo-ml cache check removes them")
        return "\n".join([summary, *lines])


@dataclass(frozen=True, slots=True)
class Pruned:
    n_entries: int
    freed_bytes: int

    def __str__(self) -> str:
        return f"{self.n_entries} calls removed, {self.freed_bytes / 2**20:.1f} MiB freed"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found in a cache file and has mended.

    ``problem`` is what SQLite says of a file that had to be written anew; empty of one that is
    sound. ``n_removed`` rows did not match their checksums and are executed again when needed.
    """

    path: Path
    n_entries: int
    n_removed: int = 0
    problem: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether nothing had to be mended."""
        return not self.problem and not self.n_removed

    def __str__(self) -> str:
        if self.problem:
            return (
                f"{self.path} was damaged ({self.problem}): {self.n_entries} calls go on in a new "
                f"file, the old one is kept beside it as {self.path.name}.corrupt-*"
            )
        if self.n_removed:
            return (
                f"{self.n_entries} calls match their checksums; {self.n_removed} did not, are "
                "removed, and will be executed again when they are needed"
            )
        return f"{self.n_entries} calls: all match their checksums, and the file is sound"


def model_digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
