"""Finished shards of an unfinished sweep, on disk: what a resumed sweep need not run again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from argo_ml.config import CacheFields
from argo_ml.errors import TrackingError
from argo_ml.results.records import QuestionResult
from argo_ml.results.shard import ShardRecord


class Journal:
    """One file per finished shard, written whole or not at all.

    Only one process works on a sweep at a time; a second one is refused.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(f"{folder}.lock")

    def __enter__(self) -> Journal:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise TrackingError(
                f"sweep {self._folder.name!r} is being run by another process; wait for it or "
                "stop it first"
            ) from None
        self._folder.mkdir(exist_ok=True)
        self._forget_unanswered()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def write(self, index: int, record: ShardRecord) -> None:
        path = self._path(index)
        partial = path.with_suffix(".partial")
        content = {
            "results": {
                cell: [row.model_dump(mode="json") for row in rows]
                for cell, rows in record.results.items()
            },
            "trajectories": record.trajectories,
            "passages": record.passages,
            "paid": record.paid,
        }
        with partial.open("w", encoding="utf-8") as file:
            # In one piece: `json.dump` encodes in Python, several times slower.
            file.write(json.dumps(content, ensure_ascii=False))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and self._path(index).exists()

    def read(self, index: int) -> ShardRecord:
        content = json.loads(self._path(index).read_text(encoding="utf-8"))
        results = {
            cell: [QuestionResult(**row) for row in rows]
            for cell, rows in content["results"].items()
        }
        paid = content.get("paid", {})
        return ShardRecord(results, content["trajectories"], content["passages"], paid)

    def records(self) -> Iterator[ShardRecord]:
        """All finished shards in order, one at a time."""
        for path in self._paths():
            yield self.read(_index(path))

    def _forget_unanswered(self) -> None:
        """What an earlier process could not ask, this one asks again: more may fit by now.

        Of these shards' calls only those that were refused are not in the call cache.
        """
        for path in self._paths():
            record = self.read(_index(path))
            if any(row.unanswered for rows in record.results.values() for row in rows):
                path.unlink()

    def remove(self) -> None:
        """Forget a sweep whose results are stored elsewhere."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("shard-*.json"))

    def _path(self, index: int) -> Path:
        return self._folder / f"shard-{index:05d}.json"


def _index(path: Path) -> int:
    return int(path.stem.removeprefix("shard-"))


def open_journal(spec: CacheFields, run_id: str) -> Journal:
    """The journal of a run; enter it before anything of the run is touched."""
    return Journal(spec.cache_path / "sweeps" / run_id)
