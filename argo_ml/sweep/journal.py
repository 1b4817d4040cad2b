"""Finished shards of an unfinished sweep, on disk: what a resumed sweep need not run again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from argo_ml.config import CacheFields
from argo_ml.engine.shards import Shard
from argo_ml.errors import TrackingError, disk_advice, system_reason
from argo_ml.locks import HeldError, ProcessLock
from argo_ml.results.records import QuestionResult
from argo_ml.results.shard import ShardRecord

logger = logging.getLogger(__name__)

_NAME = re.compile(r"shard-(\d{5,})\.json")
_SHOWN = 3


class UnusableRecordError(Exception):
    """A file that is not the whole record of the shard that its name says."""


class Journal:
    """One file per finished shard, written whole or not at all.

    Its first line names the shard, what ran in it and a checksum of the second, which holds the
    record. Only one process works on a sweep at a time; a second one is refused.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: set[int] = set()
        with explaining_folder(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        self._lock = ProcessLock(folder.with_name(f"{folder.name}.lock"))

    def __enter__(self) -> Journal:
        self._acquire()
        try:
            with explaining_folder(self._folder):
                self._folder.mkdir(exist_ok=True)
            self._forget_unanswered()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _acquire(self) -> None:
        try:
            with explaining_folder(self._folder):
                self._lock.acquire(wait=False)
        except HeldError as held:
            raise TrackingError(
                f"sweep {self._folder.name!r} is being run by {held}; wait for it or stop it first"
            ) from None

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def keep_usable(self, shards: Sequence[Shard], cell_ids: Sequence[str]) -> None:
        """Set aside, with one warning, every file that is not the record of a shard of these."""
        expected = {shard.index: _spec_digest(cell_ids, _question_ids(shard)) for shard in shards}
        problems: dict[str, str] = {}
        for path in self._paths():
            try:
                self._read_checked(path, expected)
            except (UnusableRecordError, OSError) as error:
                problems[path.name] = str(error)
                self._set_aside(path)
        if problems:
            logger.warning("%s", _described(self._folder, problems))

    def write(self, index: int, record: ShardRecord) -> None:
        """Raises `TrackingError` where it cannot be written."""
        path = self._path(index)
        partial = path.with_suffix(".partial")
        with explaining_folder(self._folder):
            # Whoever cleans up caches may have deleted the folder meanwhile.
            self._folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(_encoded(index, record))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        self._held.add(index)

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and self._path(index).exists()

    def read(self, index: int) -> ShardRecord:
        """Raises `TrackingError` for a record that was damaged or deleted since it was written."""
        path = self._path(index)
        try:
            return _decoded(self._read_checked(path))
        except (UnusableRecordError, OSError) as error:
            raise TrackingError(
                f"{path}: {error}; resume the sweep, and this shard is run again from the cache"
            ) from None

    def records(self) -> Iterator[ShardRecord]:
        """All finished shards in order, one at a time."""
        present = {_index(path) for path in self._paths()}
        for index in sorted(self._held | present - {-1}):
            yield self.read(index)

    def _forget_unanswered(self) -> None:
        """What an earlier process could not ask, this one asks again: more may fit by now.

        Of these shards' calls only those that were refused are not in the call cache.
        """
        for path in self._paths():
            # What cannot be used is set aside once it is known what belongs here.
            with contextlib.suppress(UnusableRecordError, OSError):
                record = _decoded(self._read_checked(path))
                if any(row.unanswered for rows in record.results.values() for row in rows):
                    path.unlink()

    def remove_from(self, index: int) -> None:
        """Forget the shards from ``index`` on."""
        for path in self._paths():
            if _index(path) >= index:
                path.unlink()
        self._held = {held for held in self._held if held < index}

    def remove(self) -> None:
        """Forget a sweep whose results are stored elsewhere."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("shard-*.json"))

    def _path(self, index: int) -> Path:
        return self._folder / f"shard-{index:05d}.json"

    def _read_checked(self, path: Path, expected: Mapping[int, str] | None = None) -> bytes:
        """The record of a file, as JSON.

        ``expected`` is what ran in every shard. Raises `UnusableRecordError` and `OSError`.
        """
        head, _, content = path.read_bytes().partition(b"\n")
        header = _header(head)
        if header.get("checksum") != _checksum(header, content):
            raise UnusableRecordError("does not match its checksum")
        index = _index(path)
        if header["shard"] != index:
            raise UnusableRecordError(f"is the record of shard {header['shard']}")
        if expected is not None and expected.get(index) != header["spec"]:
            raise UnusableRecordError("is of other cells or questions")
        return content

    def _set_aside(self, path: Path) -> None:
        with explaining_folder(self._folder):
            path.rename(path.with_name(f"{path.name}.set-aside"))


def open_journal(spec: CacheFields, run_id: str) -> Journal:
    """The journal of a run; enter it before anything of the run is touched."""
    return Journal(journals_folder(spec) / run_id)


def journals_folder(spec: CacheFields) -> Path:
    """The folder of all journals, each in one by the id of its run."""
    return spec.cache_path / "sweeps"


def remove_journal(folder: Path) -> bool:
    """Remove the journal of a run that nobody goes on with, unless a process is at work on it;
    returns whether it is gone."""
    lock = ProcessLock(folder.with_name(f"{folder.name}.lock"))
    try:
        with lock.held_at_once():
            shutil.rmtree(folder, ignore_errors=True)
    except (HeldError, OSError):
        return False
    return not folder.exists()


def _encoded(index: int, record: ShardRecord) -> bytes:
    content = {
        "results": {
            cell: [row.model_dump(mode="json") for row in rows]
            for cell, rows in record.results.items()
        },
        "trajectories": record.trajectories,
        "passages": record.passages,
        "paid": record.paid,
    }
    # In one piece: `json.dump` encodes in Python, several times slower.
    encoded = json.dumps(content, ensure_ascii=False).encode()
    rows = next(iter(record.results.values()), [])
    spec = _spec_digest(list(record.results), [row.question_id for row in rows])
    header: dict[str, Any] = {"shard": index, "spec": spec}
    header["checksum"] = _checksum(header, encoded)
    return json.dumps(header).encode() + b"\n" + encoded


def _decoded(encoded: bytes) -> ShardRecord:
    content = json.loads(encoded)
    results = {
        cell: [QuestionResult(**row) for row in rows] for cell, rows in content["results"].items()
    }
    return ShardRecord(results, content["trajectories"], content["passages"], content["paid"])


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        raise UnusableRecordError("is damaged or cut off") from None
    if not isinstance(header, dict) or "results" in header:
        # An earlier argo_ml wrote the record alone.
        raise UnusableRecordError("has no checksum")
    return header


def _checksum(header: Mapping[str, Any], content: bytes) -> str:
    """Of what a record says and of what it is said to be."""
    digest = hashlib.blake2b(content, digest_size=16)
    digest.update(json.dumps([header.get("shard"), header.get("spec")]).encode())
    return digest.hexdigest()


def _spec_digest(cell_ids: Sequence[str], question_ids: Sequence[str]) -> str:
    """Of what ran in a shard: a cell's id stands for its whole spec."""
    content = json.dumps([sorted(cell_ids), list(question_ids)])
    return hashlib.sha256(content.encode()).hexdigest()


def _question_ids(shard: Shard) -> list[str]:
    return [question.id for question in shard.questions]


def _index(path: Path) -> int:
    """The shard that a file's name says; -1 where it names none."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else -1


def _described(folder: Path, problems: Mapping[str, str]) -> str:
    shown = "; ".join(f"{name} {problem}" for name, problem in list(problems.items())[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return (
        f"{folder}: {len(problems)} records cannot be used ({shown}{more}); they are kept as "
        "*.set-aside, and their shards run again from the cache of calls"
    )


@contextlib.contextmanager
def explaining_folder(
    folder: Path,
    problem: str = "finished shards cannot be kept there",
    instead: str = "choose another cache_dir",
) -> Iterator[None]:
    """Raise `TrackingError` that says what helps where a sweep's files cannot be written in it."""
    try:
        yield
    except OSError as error:
        reason = system_reason(error)
        raise TrackingError(
            f"{folder}: {problem} ({reason}); {disk_advice(error) or 'make it writable'}, or "
            f"{instead}, then resume the sweep"
        ) from None
