from __future__ import annotations

import multiprocessing
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from argo_ml import processes
from argo_ml.locks import HeldError, ProcessLock
from argo_ml.processes import Life, Process, forget, life_of, parse_process, this_process

NAMES_ITSELF = (
    "from argo_ml.processes import this_process; print(this_process().text, flush=True); input()"
)
HOLDS = (
    "import pathlib, sys; from argo_ml.locks import ProcessLock\n"
    "lock = ProcessLock(pathlib.Path(sys.argv[1])); lock.acquire()\n"
    "print('held', flush=True); input()"
)


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def named(process: subprocess.Popen[str]) -> Process:
    assert process.stdout is not None
    parsed = parse_process(process.stdout.readline())
    assert parsed is not None
    return parsed


def test_a_second_process_lives_until_it_is_killed_and_its_lock_is_removed() -> None:
    process = start(NAMES_ITSELF)
    other = named(process)
    assert life_of(other) is Life.ALIVE
    process.kill()
    process.wait()
    assert life_of(other) is Life.DEAD
    assert Path(other.lock).exists()
    forget(other)
    assert not Path(other.lock).exists()


def test_a_process_that_ends_by_itself_leaves_no_lock() -> None:
    process = start(NAMES_ITSELF)
    other = named(process)
    process.communicate("end\n")
    assert not Path(other.lock).exists()
    assert life_of(other) is Life.DEAD


@pytest.mark.parametrize(
    ("changes", "life"),
    [
        ({}, Life.ALIVE),
        ({"lock": "/nowhere.lock"}, Life.ALIVE),
        ({"lock": "/nowhere.lock", "started": 1.0}, Life.DEAD),
        ({"host": "as the network calls it"}, Life.ALIVE),
        ({"host": "as the network calls it", "lock": "", "started": 1.0}, Life.DEAD),
        ({"host": "elsewhere", "boot": "of elsewhere"}, Life.UNKNOWN),
        ({"machine": "another of that name", "boot": "of that one"}, Life.UNKNOWN),
        ({"host": "a container", "namespace": "of a container", "lock": ""}, Life.UNKNOWN),
        ({"boot": "before the last one"}, Life.DEAD),
        ({"lock": "/nowhere.lock", "namespace": "of a container"}, Life.UNKNOWN),
    ],
)
def test_whether_a_process_lives_is_said_only_where_it_can_be_seen(
    changes: dict[str, str], life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "machine-id").write_text("0123\n")
    monkeypatch.setattr(processes, "_MACHINE_ID", tmp_path / "machine-id")
    assert life_of(replace(this_process(), **changes)) is life  # type: ignore[arg-type]


def test_without_an_id_a_machine_of_this_name_and_another_start_may_be_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_MACHINE_ID", tmp_path / "none")
    assert life_of(replace(this_process(), boot="of another host")) is Life.UNKNOWN
    assert life_of(this_process()) is Life.ALIVE


def test_a_machine_without_an_id_and_an_address_is_the_same_for_all_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_MACHINE_ID", tmp_path / "none")
    monkeypatch.setattr(processes, "_boot", lambda: "this start")
    drawn = iter([0x010000000001, 0x010000000002])
    monkeypatch.setattr("uuid.getnode", lambda: next(drawn))
    assert processes._machine() == processes._machine()


@pytest.mark.parametrize("line", ["", "{", "[]", '{"pid": 1}', "null", '{"pid": "1"}'])
def test_a_line_that_names_no_process_names_none(line: str) -> None:
    assert parse_process(line) is None


def test_a_forked_process_is_another_one() -> None:
    here = this_process()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        forked = pool.apply(this_process)
    assert (forked.pid, forked.lock) != (here.pid, here.lock)


def test_a_lock_says_who_holds_it_and_since_when_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    process = start(HOLDS, str(path))
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    here = this_process()
    with pytest.raises(HeldError, match=rf"process {process.pid} on {here.host} since \d{{4}}-"):
        ProcessLock(path).acquire(wait=False)
    process.kill()
    process.wait()
    with ProcessLock(path).held_at_once():
        assert f'"pid": {here.pid}' in path.read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_interrupted_while_it_names_its_holder_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> Process:
        raise KeyboardInterrupt

    kept = ProcessLock(tmp_path / "one.lock")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("argo_ml.locks.this_process", interrupted)
        kept.acquire()
    with ProcessLock(tmp_path / "one.lock").held_at_once():
        pass


@pytest.mark.parametrize(("error", "life"), [(PermissionError, Life.ALIVE), (OSError, Life.DEAD)])
def test_a_process_of_another_user_that_is_hidden_from_this_one_lives(
    error: type[OSError], life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = replace(this_process(), lock="")

    def hide(pid: int) -> None:
        raise psutil.NoSuchProcess(pid)

    def refuse(pid: int, number: int) -> None:
        raise error

    monkeypatch.setattr(psutil, "Process", hide)
    monkeypatch.setattr(processes.os, "kill", refuse)
    assert life_of(hidden) is life
