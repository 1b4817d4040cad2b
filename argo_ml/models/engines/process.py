"""A server as a process of this one's: started, watched, started again, and ended with it."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx2
import psutil

from argo_ml.errors import ModelError
from argo_ml.interruption import pause
from argo_ml.models.server.wire import RefusedError

logger = logging.getLogger(__name__)

GUARD = Path(__file__).with_name("guard.py")
ILLEGAL_INSTRUCTION = 128 + 4
MOST_FAILURES = 3
"""Ends in a row without an answer in between, after which a server is not started again."""
_INTERVAL_S = 0.1
_GUARD_S = 2.0
"""What a guard may take to end beyond its patience."""
_LINES_KEPT = 30


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started on ``port`` of loopback; ``engine`` is what messages call it.

    It inherits this process's variables but those of ``left_out``, and has ``environment`` beside.
    ``ready_s`` is how long it may take until it answers ``/health``, and ``patience_s`` how long it
    may take to end with all its own processes before they are killed.
    """

    engine: str
    arguments: Sequence[str]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    ready_s: float = 300.0
    patience_s: float = 3.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the server."""
        inherited = {name: os.environ[name] for name in os.environ.keys() - set(self.left_out)}
        return {**inherited, **self.environment}


class EngineProcess:
    """A running server; where it ends by itself the next request starts it again."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._messages: collections.deque[str] = collections.deque(maxlen=_LINES_KEPT)
        self._holder: list[subprocess.Popen[bytes]] = []
        self._n_failures = 0
        self._is_ready = False
        self.n_starts = 0
        arguments = (self._holder, os.getpid(), command.patience_s)
        self._close = weakref.finalize(self, _end, *arguments)

    @property
    def url(self) -> str:
        return self._command.url

    def make_ready(self) -> None:
        """Wait until the server answers; start it where it is not running.

        Raises `RefusedError` where it does not stay alive or never answers, and `KeyboardInterrupt`
        where a stop is asked for meanwhile.
        """
        with self._lock:
            while not (self._is_ready and self._is_running()):
                self._check_patience()
                if not self._is_running():
                    self._start()
                self._is_ready = self._wait_until_ready()
                self._n_failures += not self._is_ready

    def has_answered(self) -> None:
        self._n_failures = 0

    def close(self) -> None:
        self._close()

    def _is_running(self) -> bool:
        return bool(self._holder) and self._holder[0].poll() is None

    def _check_patience(self) -> None:
        if self._holder and not self._is_running():
            if self._is_ready:
                logger.warning("%s has ended; it is started again", self._command.engine)
                self._n_failures += 1
            self._is_ready = False
        if self._n_failures >= MOST_FAILURES:
            raise RefusedError(f"{self._command.engine}: {self._reason()}")

    def _start(self) -> None:
        for ended in self._holder:
            _kill_rest(ended)
        patience = str(self._command.patience_s)
        guarded = [sys.executable, "-S", "-E", str(GUARD), str(os.getpid()), patience]
        process = subprocess.Popen(
            [*guarded, *self._command.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._command.variables,
            # Ctrl-C is the run's to answer: it finishes what is under way.
            start_new_session=True,
        )
        self._holder[:] = [process]
        self.n_starts += 1
        assert process.stdout is not None
        arguments = (process.stdout, self._messages)
        threading.Thread(target=_keep_lines, args=arguments, daemon=True).start()

    def _wait_until_ready(self) -> bool:
        until = time.monotonic() + self._command.ready_s
        while self._is_running() and time.monotonic() < until:
            with contextlib.suppress(httpx2.HTTPError):
                # The environment may name a proxy, which cannot reach loopback.
                if httpx2.get(
                    f"{self.url}/health", timeout=_INTERVAL_S * 50, trust_env=False
                ).is_success:
                    return True
            pause(_INTERVAL_S)
        if self._is_running():
            _end(self._holder, os.getpid(), self._command.patience_s)
            self._messages.append(f"no answer within {self._command.ready_s:g} s")
        return False

    def _reason(self) -> str:
        status = self._holder[0].wait()
        if status == ILLEGAL_INSTRUCTION:
            return (
                "needs instructions that this processor lacks; build xllamacpp from source "
                "(pip install --no-binary xllamacpp xllamacpp), or use engine=auto"
            )
        said = next(iter(_telling(self._messages)), "it says nothing")
        return f"does not stay alive (exit status {status}: {said[:200]})"


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_briefly(arguments: Sequence[str], engine: str, environment: Mapping[str, str]) -> str:
    """What a short command prints. Raises `ModelError`."""
    variables = {**os.environ, **environment}
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            timeout=120,
            check=False,
            env=variables,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"{engine}: cannot be run ({error})") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ModelError(f"{engine}: cannot be run ({said[:200]})")
    return done.stdout


def _telling(messages: Sequence[str]) -> list[str]:
    """Lines that are most likely to say what went wrong, the last first."""
    lines = [line for line in reversed(messages) if line]
    return [line for line in lines if "rror" in line] or lines


def _keep_lines(stream: IO[bytes], messages: collections.deque[str]) -> None:
    with stream:
        for line in stream:
            messages.append(line.decode(errors="replace").strip())


def _end(holder: list[subprocess.Popen[bytes]], owner: int, patience_s: float) -> None:
    """End what is running; a forked copy of the owner leaves it alone."""
    if os.getpid() != owner:
        return
    for process in holder:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(patience_s + _GUARD_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _kill_rest(process)


def _kill_rest(guard: subprocess.Popen[bytes]) -> None:
    """Kill what a guard that was killed has left of its session: its server and all below that."""
    # Its number in use again is another process; then nothing is left of its session.
    if guard.returncode >= 0 or psutil.pid_exists(guard.pid):
        return
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == guard.pid:
                os.kill(pid, signal.SIGKILL)
