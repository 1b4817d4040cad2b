"""What is said of a cache file: its contents, what was removed, what a check made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argo_ml.types import Usage


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
class Payment:
    """Calls that somebody executed, and what they took.

    ``unsettled`` are being executed now, or were when their process died, so that nobody knows
    whether they were executed.
    """

    executed: int = 0
    unsettled: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Payment) -> Payment:
        return Payment(
            self.executed + other.executed,
            self.unsettled + other.unsettled,
            self.prompt_tokens + other.prompt_tokens,
            self.output_tokens + other.output_tokens,
            self.seconds + other.seconds,
        )

    @property
    def usage(self) -> Usage:
        """What they took, as what is needed is counted."""
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.output_tokens,
            seconds=self.seconds,
        )

    def __str__(self) -> str:
        text = (
            f"{self.executed} calls, {self.prompt_tokens} prompt and {self.output_tokens} other "
            f"tokens, {self.seconds:.0f} s"
        )
        if self.unsettled:
            text += f"; {self.unsettled} more are under way or ended with their process"
        return text


@dataclass(frozen=True, slots=True)
class Ledger:
    """Who has executed how many calls of language models: by run, or by what else asked for them.

    Embedded queries and counted tokens are stored as well, and nobody pays for them.
    """

    path: Path
    payments: Mapping[str, Payment]

    @property
    def total(self) -> Payment:
        return sum(self.payments.values(), Payment())

    def __str__(self) -> str:
        lines = [f"{payer or 'nobody'}  {payment}" for payer, payment in self.payments.items()]
        return "\n".join([*lines, f"all  {self.total}"])


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
    sound. ``n_removed`` rows did not match their checksums and are executed again when needed, and
    ``n_recounted`` entries of the ledger were counted again from the calls.
    """

    path: Path
    n_entries: int
    n_removed: int = 0
    problem: str = ""
    n_recounted: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing had to be mended."""
        return not (self.problem or self.n_removed or self.n_recounted)

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
        if self.n_recounted:
            return (
                f"{self.n_entries} calls: all match their checksums; {self.n_recounted} entries of "
                "the ledger did not, and are what these calls add up to now"
            )
        return f"{self.n_entries} calls: all match their checksums, and the file is sound"


def model_digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
