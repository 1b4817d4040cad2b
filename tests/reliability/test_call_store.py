"""Flipped bits of a file of calls, and two processes that bring an old one up to date at once."""

from __future__ import annotations

import logging
import multiprocessing
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from argo_ml.errors import ArgoError
from argo_ml.models.cache import database
from argo_ml.models.cache.store import CallCache, Entry
from benchmarks.reliability import bitflips
from benchmarks.reliability.bitflips import IDENTITY, flipped, make_entries

ENTRIES = {entry.key: entry for entry in make_entries()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


@pytest.fixture
def stored(path: Path) -> Path:
    CallCache(path).add(IDENTITY, list(ENTRIES.values()))
    return path


def change(path: Path, column: str, value: object) -> str:
    """Change a stored call without its checksum; returns its key."""
    key = next(iter(ENTRIES))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE calls SET {column} = ? WHERE key = ?", (value, key))
    return key


def make_old(path: Path) -> None:
    """A file as version 1 left it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(database._SCHEMA)
        connection.execute("INSERT INTO models VALUES (1, ?)", (IDENTITY,))
        rows = [
            (e.key, 1, e.kind, e.output, e.prompt_tokens, e.output_tokens, e.seconds, e.billed_to)
            for e in ENTRIES.values()
        ]
        connection.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0)", rows)
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA journal_mode = WAL")
    path.chmod(0o644)


def test_a_hundred_flipped_bits_are_no_wrong_value_count_or_message(tmp_path: Path) -> None:
    [counts] = bitflips.campaign(tmp_path, 100, seed=1)
    assert counts.n_cases == 100
    assert counts.n_failures == 0, counts
    assert counts.outcomes["refused"] == 0
    assert counts.outcomes["executed_again"] > 20


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("output", '"another answer"'),
        ("output", b"\xff\xfe"),
        ("kind", "score"),
        ("prompt_tokens", 101),
        ("prompt_tokens", "many"),
        ("output_tokens", "25"),
        ("seconds", 1.0),
        ("payer", "run/9"),
        ("model", 2),
        ("checksum", 0),
    ],
)
def test_a_call_that_does_not_match_is_dropped_and_stored_again(
    stored: Path, column: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    key = change(stored, column, value)
    cache = CallCache(stored)
    assert cache.find(ENTRIES) == {k: entry for k, entry in ENTRIES.items() if k != key}
    assert cache.n_dropped == 1
    assert "does not match its checksum and is executed again" in caplog.text
    cache.add(IDENTITY, [ENTRIES[key]])
    assert cache.find([key]) == {key: ENTRIES[key]}


def test_a_damaged_call_is_no_obstacle_to_storing_it(stored: Path) -> None:
    key = change(stored, "output", "another")
    assert CallCache(stored).add(IDENTITY, [ENTRIES[key]]) == {key: ENTRIES[key]}


def test_many_damaged_calls_are_reported_once(
    stored: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(stored)) as connection, connection:
        connection.execute("UPDATE calls SET payer = 'somebody else'")
    cache = CallCache(stored)
    assert cache.find(ENTRIES) == {}
    assert (cache.n_dropped, len(caplog.messages)) == (60, 1)


def test_a_check_says_what_it_removed(stored: Path) -> None:
    change(stored, "seconds", 99.0)
    cache = CallCache(stored)
    assert "1 more are damaged" in str(cache.stats())
    assert str(cache.check()) == (
        "59 calls match their checksums; 1 did not, are removed, and will be executed again when "
        "they are needed"
    )
    assert str(CallCache(stored).check()) == (
        "59 calls: all match their checksums, and the file is sound"
    )


def test_a_check_writes_a_file_with_a_damaged_page_anew(stored: Path) -> None:
    content = bytearray(stored.read_bytes())
    pages = range(4096, len(content), 4096)
    [*_, leaf] = (page for page in pages if content[page] == 0x0A and content[page + 4] < 20)
    content[leaf] = 0
    stored.write_bytes(content)
    checked = CallCache(stored).check()
    assert checked.problem
    assert 30 < checked.n_entries < 60
    assert "calls go on in a new file" in str(checked)
    assert len(list(stored.parent.glob("calls.sqlite.corrupt-*"))) == 1
    assert CallCache(stored).check().is_sound


def test_calls_outlive_the_header_of_their_file(stored: Path) -> None:
    stored.write_bytes(b"\0" * 100 + stored.read_bytes()[100:])
    assert CallCache(stored).find(ENTRIES) == ENTRIES


def test_calls_that_are_in_the_log_alone_outlive_their_file(path: Path) -> None:
    cache = CallCache(path)
    with closing(database.connect(path)) as keeps_the_log:
        keeps_the_log.execute("SELECT count(*) FROM calls").fetchone()
        cache.add(IDENTITY, list(ENTRIES.values()))
        path.write_bytes(b"\0" * path.stat().st_size)
        assert CallCache(path).find(ENTRIES) == ENTRIES


def test_an_old_file_gets_checksums_and_is_private(path: Path) -> None:
    make_old(path)
    assert CallCache(path).find(ENTRIES) == ENTRIES
    assert path.stat().st_mode & 0o777 == 0o640
    assert CallCache(path).check().is_sound
    change(path, "payer", "another")
    assert len(CallCache(path).find(ENTRIES)) == 59


def test_an_old_file_with_a_damaged_header_keeps_its_calls(path: Path) -> None:
    make_old(path)
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])
    assert CallCache(path).find(ENTRIES) == ENTRIES


def _find_all(path: Path) -> None:
    assert CallCache(path).find(ENTRIES) == ENTRIES


@pytest.mark.parametrize("prepare", [make_old, None])
def test_processes_that_open_an_old_or_damaged_file_at_once_all_read_it(
    path: Path, prepare: object
) -> None:
    if prepare:
        make_old(path)
    else:
        CallCache(path).add(IDENTITY, list(ENTRIES.values()))
        path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])
    context = multiprocessing.get_context("fork")
    readers = [context.Process(target=_find_all, args=(path,)) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert [reader.exitcode for reader in readers] == [0] * 8
    assert len(list(path.parent.glob("calls.sqlite.corrupt-*"))) == (0 if prepare else 1)


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_version_is_no_newer_version(
    stored: Path, bit: int, caplog: pytest.LogCaptureFixture
) -> None:
    stored.write_bytes(flipped(stored.read_bytes(), 8 * 63 + bit))
    with caplog.at_level(logging.WARNING):
        assert CallCache(stored).find(ENTRIES) == ENTRIES
    assert "is of 3" in caplog.text


def test_files_and_folders_are_for_their_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "of" / "calls.sqlite"
    CallCache(path).add(IDENTITY, list(ENTRIES.values()))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in path.parents[:2]] == [0o700, 0o700]


def test_a_deleted_folder_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "calls.sqlite"
    cache = CallCache(path)
    path.unlink()
    path.parent.rmdir()
    entry = next(iter(ENTRIES.values()))
    assert cache.add(IDENTITY, [entry]) == {entry.key: entry}


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("database or disk is full", "free disk space"),
        ("attempt to write a readonly database", "writable"),
        ("unable to open database file", "writable"),
        ("database is locked", "close that"),
    ],
)
def test_advice_is_that_of_the_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, advice: str
) -> None:
    monkeypatch.setattr(database, "_is_writable", lambda path: False)
    error = database.obstacle(sqlite3.OperationalError(said), tmp_path / "calls.sqlite")
    assert isinstance(error, ArgoError)
    assert advice in str(error)
    assert ("free disk space" in str(error)) == (advice == "free disk space")


def test_random_bytes_in_the_place_of_pages_are_never_calls(stored: Path) -> None:
    content = bytearray(stored.read_bytes())
    generator = random.Random(3)
    for page in generator.sample(range(1, len(content) // 4096), 6):
        content[page * 4096 : (page + 1) * 4096] = generator.randbytes(4096)
    stored.write_bytes(content)
    read: dict[str, Entry] = CallCache(stored).find(ENTRIES)
    assert read.items() <= ENTRIES.items()
