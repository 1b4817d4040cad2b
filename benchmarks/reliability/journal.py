"""Records of finished shards, damaged before a sweep is resumed: is it as if they were not?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config import SweepSpec, build
from argo_ml.errors import ArgoError
from argo_ml.progress import EPISODES
from argo_ml.results.records import Results
from argo_ml.sweep.running import run_sweep
from benchmarks.reliability.counting import Counts
from benchmarks.workplace import scripted, workplace

STATE = ("mlflow.db", "mlruns", "cache/sweeps")
"""What a resumption changes, below the folder of a sweep."""


class Interruption(Exception):
    """Ends a sweep between two shards."""


@dataclass(frozen=True, slots=True)
class BegunSweep:
    """A sweep that was interrupted with most of its shards in the journal.

    ``folder`` is where its ``mlflow.db``, its artifacts and its ``cache`` are.
    """

    folder: Path
    values: Mapping[str, Any]
    run_id: str

    @property
    def records(self) -> list[Path]:
        """Of its finished shards, at least four."""
        return sorted((self.folder / "cache" / "sweeps" / self.run_id).glob("shard-*.json"))

    def resume(self) -> list[Any]:
        """Everything that its cells came to."""
        values = {**self.values, "resume": self.run_id}
        return comparable(run_sweep(build(SweepSpec, values)))


def begin(folder: Path, values: Mapping[str, Any]) -> BegunSweep:
    """Run a sweep until two thirds of its episodes are done; the current folder is ``folder``."""

    def interrupt(stage: str, n_done: int, n_total: int) -> None:
        if stage == EPISODES and 3 * n_done > 2 * n_total:
            raise Interruption

    try:
        run_sweep(build(SweepSpec, dict(values)), interrupt)
    except Interruption:
        [journal] = (path for path in (folder / "cache" / "sweeps").iterdir() if path.is_dir())
        return BegunSweep(folder, values, journal.name)
    raise AssertionError("the sweep was not interrupted")


def comparable(results: Results) -> list[Any]:
    """Results without the ids of runs."""
    return [
        (cell.strategy, cell.retrieval_cost, dict(cell.metrics), cell.questions)
        for cell in results.cells
    ]


def swap(records: Sequence[Path]) -> None:
    first, second = records[0].read_bytes(), records[1].read_bytes()
    records[0].write_bytes(second)
    records[1].write_bytes(first)


def cut(records: Sequence[Path]) -> None:
    os.truncate(records[1], records[1].stat().st_size // 2)


def cut_within_the_first_line(records: Sequence[Path]) -> None:
    os.truncate(records[1], 20)


def empty(records: Sequence[Path]) -> None:
    records[2].write_bytes(b"")


def flip_a_bit(records: Sequence[Path]) -> None:
    content = bytearray(records[0].read_bytes())
    content[2 * len(content) // 3] ^= 2
    records[0].write_bytes(content)


def change_an_answer(records: Sequence[Path]) -> None:
    content = records[0].read_bytes()
    records[0].write_bytes(content.replace(b'"correct": false', b'"correct": true', 1))


def remove(records: Sequence[Path]) -> None:
    records[0].unlink()


def put_a_folder_in_its_place(records: Sequence[Path]) -> None:
    records[3].unlink()
    records[3].mkdir()


def add_a_copy_of_another_name(records: Sequence[Path]) -> None:
    shutil.copy(records[0], records[0].with_name("shard-copy.json"))


def add_a_shard_that_the_sweep_does_not_have(records: Sequence[Path]) -> None:
    shutil.copy(records[0], records[0].with_name("shard-00099.json"))


def add_a_file_of_something_else(records: Sequence[Path]) -> None:
    records[0].with_name("notes.txt").write_text("mine")


def take_the_form_of_an_earlier_version(records: Sequence[Path]) -> None:
    _, _, content = records[0].read_bytes().partition(b"\n")
    records[0].write_bytes(content)


def take_other_cells(records: Sequence[Path]) -> None:
    """A whole record, with its checksum, of a shard of another sweep."""
    from argo_ml.sweep.journal import Journal

    with Journal(records[0].parent) as journal:
        record = journal.read(0)
        for part in (record.results, record.trajectories, record.paid):
            assert isinstance(part, dict)
            part["0" * 12] = part.pop(next(iter(part)))
        journal.write(0, record)


DAMAGES: tuple[Callable[[Sequence[Path]], None], ...] = (
    swap,
    cut,
    cut_within_the_first_line,
    empty,
    flip_a_bit,
    change_an_answer,
    remove,
    put_a_folder_in_its_place,
    add_a_copy_of_another_name,
    add_a_shard_that_the_sweep_does_not_have,
    add_a_file_of_something_else,
    take_the_form_of_an_earlier_version,
    take_other_cells,
)


def campaign(folder: Path, n_cases: int = 0, seed: int = 0) -> list[Counts]:
    """Interrupt a sweep once, and resume copies of it after each kind of damage."""
    counts = []
    with workplace() as cache, workplace() as other_cache:
        os.chdir(folder)
        (folder / "cache").symlink_to(cache)
        values = {
            "n_questions": 16,
            "n_prices": 2,
            "strategies": "argo,random",
            "shard_size": 2,
            "cache_dir": cache,
            "model": scripted(cache),
            "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        }
        begun = begin(folder, values)
        # With a cache of its own it executes what the interrupted one executes.
        expected = comparable(run_sweep(build(SweepSpec, {**values, "cache_dir": other_cache})))
        _copy_state(folder, folder / "before")
        for damage in DAMAGES[: n_cases or None]:
            row = Counts(damage.__name__.replace("_", " "))
            row.add(*outcomes(begun, damage, expected, row.examples))
            counts.append(row)
            _copy_state(folder / "before", folder)
    return counts


def outcomes(
    begun: BegunSweep,
    damage: Callable[[Sequence[Path]], None],
    expected: list[Any],
    examples: list[str],
) -> list[str]:
    damage(begun.records)
    try:
        same = begun.resume() == expected
    except ArgoError as error:
        examples.append(str(error))
        return ["unhealed"]
    except Exception as error:
        examples.append(repr(error))
        return ["raw_exceptions"]
    return ["ended as if undamaged" if same else "wrong_values"]


def _copy_state(source: Path, target: Path) -> None:
    for name in STATE:
        if (target / name).is_dir():
            shutil.rmtree(target / name)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        else:
            shutil.copy(source / name, target / name)
