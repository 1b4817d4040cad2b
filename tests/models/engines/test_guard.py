"""What the guard ends, and when: short scripts stand for a server and its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from argo_ml.interruption import finishing_batches
from argo_ml.models.engines.process import (
    GUARD,
    Command,
    EngineProcess,
    _kill_rest,
    free_port,
)

WORKER = "import signal, sys, time; {ignore}; print('up', flush=True); time.sleep(60)"
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
SERVER = """
import os, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
worker = subprocess.Popen([sys.executable, "-S", "-c", {worker!r}], stdout=subprocess.PIPE)
worker.stdout.readline()
with open({log!r}, "w") as log:
    log.write(f"{{os.getpid()}} {{worker.pid}}")
print("ready", flush=True)
{then}
"""
SERVE = """
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""


def script(log: Path, then: str = "time.sleep(60)", *, ignore: bool = False) -> list[str]:
    """A command that starts one worker, writes both process ids to ``log`` and goes on."""
    worker = WORKER.format(ignore=IGNORE if ignore else "")
    code = SERVER.format(worker=worker, log=str(log), then=then)
    return [sys.executable, "-S", "-c", code]


def guarded(command: list[str], patience_s: float = 3.0) -> subprocess.Popen[bytes]:
    """The command behind a guard, once it is ready."""
    guard = subprocess.Popen(
        [sys.executable, "-S", "-E", str(GUARD), str(os.getpid()), str(patience_s), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert guard.stdout is not None
    assert guard.stdout.readline() == b"ready\n"
    return guard


def processes(log: Path) -> list[psutil.Process]:
    """The server and its worker."""
    return [psutil.Process(int(pid)) for pid in log.read_text().split()]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where a script writes its process ids; they are killed at the end."""
    path = tmp_path / "pids"
    yield path
    for pid in path.read_text().split():
        if psutil.pid_exists(int(pid)):
            os.kill(int(pid), signal.SIGKILL)


def are_gone(stopped: list[psutil.Process], within_s: float = 5.0) -> bool:
    return psutil.wait_procs(stopped, timeout=within_s)[1] == []


def test_workers_end_with_the_run(log: Path) -> None:
    guard = guarded(script(log))
    both = processes(log)
    assert guard.stdin is not None
    guard.stdin.close()
    assert guard.wait(5) == 0
    assert are_gone(both)


def test_workers_that_do_not_listen_are_killed_after_the_patience(log: Path) -> None:
    guard = guarded(script(log, ignore=True), patience_s=0.2)
    both = processes(log)
    guard.terminate()
    assert guard.wait(5) == 0
    assert are_gone(both)


@pytest.mark.parametrize(("then", "status"), [("sys.exit(7)", 7), ("os.kill(os.getpid(), 9)", 137)])
def test_workers_of_a_server_that_dies_alone_are_ended(log: Path, then: str, status: int) -> None:
    guard = guarded(script(log, f"time.sleep(0.3); {then}"))
    both = log.read_text().split()
    assert guard.wait(8) == status
    assert not any(psutil.pid_exists(int(pid)) for pid in both)


@pytest.mark.parametrize("then", ["close", "make_ready"])
def test_workers_of_a_killed_guard_end_before_anything_else(log: Path, then: str) -> None:
    port = free_port()
    process = EngineProcess(Command("engine=test", script(log, SERVE.format(port=port)), port))
    process.make_ready()
    both = processes(log)
    [guard] = process._holder
    guard.kill()
    guard.wait()
    getattr(process, then)()
    assert are_gone(both)
    process.close()


def test_a_stop_ends_the_wait_for_a_server() -> None:
    process = EngineProcess(Command("engine=test", ["sleep", "60"], free_port(), ready_s=5))
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(KeyboardInterrupt), finishing_batches():
        process.make_ready()
    assert process.n_starts == 1
    process.close()


def test_a_new_process_of_the_same_number_as_a_killed_guard_is_left_alone() -> None:
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    killed = subprocess.Popen(["sleep", "60"])
    killed.kill()
    killed.wait()
    killed.pid = other.pid
    _kill_rest(killed)
    assert other.poll() is None
    other.kill()
    other.wait()
