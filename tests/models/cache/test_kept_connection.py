import os
import sqlite3
from pathlib import Path

import pytest

from argo_ml.errors import ArgoError
from argo_ml.models.cache.database import connect
from argo_ml.models.cache.healing import file_identity, heal
from argo_ml.models.cache.store import CallCache, Entry


def entry(key: str) -> Entry:
    return Entry(key, "generate", '"a river"', 12, "3", 0.5, "run")


def stored_keys(path: Path) -> list[bytes]:
    connection = connect(path)
    try:
        return [key for (key,) in connection.execute("SELECT key FROM calls ORDER BY key")]
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def test_one_connection_serves_all_that_is_asked_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, opened = CallCache(path), []
    monkeypatch.setattr(
        "argo_ml.models.cache.store.connect", lambda path: opened.append(path) or connect(path)
    )
    with cache.kept_open():
        for number in range(5):
            cache.add("model", [entry(f"key{number}")])
        found = cache.find(f"key{number}" for number in range(5))
    assert len(found) == 5
    assert opened == []


def test_no_log_is_left_beside_the_file(path: Path) -> None:
    cache = CallCache(path)
    with cache.kept_open(), cache.kept_open():
        cache.add("model", [entry("key")])
    assert [file.name for file in path.parent.iterdir()] == ["calls.sqlite"]


def test_others_see_at_once_what_was_stored(path: Path) -> None:
    cache = CallCache(path)
    with cache.kept_open():
        cache.add("model", [entry("key")])
        assert stored_keys(path) == [b"key"]


def test_a_healed_file_is_gone_on_with_and_keeps_its_log(path: Path) -> None:
    cache = CallCache(path)
    other = connect(path)
    with cache.kept_open():
        cache.add("model", [entry("before")])
        heal(path, file_identity(path), "for this test")
        others = connect(path)
        others.execute("UPDATE calls SET last_used = 1.0")
        cache.add("model", [entry("after")])
        assert Path(f"{path}-wal").exists()
        assert stored_keys(path) == [b"after", b"before"]
    others.close()
    other.close()
    assert stored_keys(path) == [b"after", b"before"]


def test_a_file_that_was_removed_is_begun_anew(path: Path) -> None:
    cache = CallCache(path)
    with cache.kept_open():
        cache.add("model", [entry("before")])
        for file in path.parent.iterdir():
            os.unlink(file)
        assert cache.find(["before"]) == {}
        cache.add("model", [entry("after")])
    assert stored_keys(path) == [b"after"]


def test_after_an_error_the_next_operation_has_a_new_connection(path: Path) -> None:
    cache = CallCache(path)

    def fail(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("disk is full")

    with cache.kept_open():
        with pytest.raises(ArgoError, match="free disk space"):
            cache._do(fail)
        cache.add("model", [entry("key")])
        assert list(cache.find(["key"])) == ["key"]
