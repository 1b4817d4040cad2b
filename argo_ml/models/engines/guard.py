"""Runs a command that ends with the process that started this one, however that ends.

``python guard.py PARENT PATIENCE_S COMMAND …``: PARENT is a process id. Run as a file and with the
standard library alone, so that it starts at once and needs little memory. The command leads a
process group. The whole group ends when PARENT does, when standard input does, when this process is
asked to (SIGTERM), and when the command itself has ended; what is left of it after PATIENCE_S, or
of a command that has ended after `ORPHANS_PATIENCE_S`, is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

INTERVAL_S = 0.25
ORPHANS_PATIENCE_S = 3.0
KILLED_WITHIN_S = 1.0
_PARENT_DEATH_SIGNAL = 1
_CHILD_SUBREAPER = 36


class Guard:
    """Watches one command, which ``run`` starts."""

    def __init__(self, parent: int, patience_s: float) -> None:
        self._parent = parent
        self._patience_s = patience_s
        self._is_asked_to_end = False

    def run(self, command: Sequence[str]) -> int:
        """The exit status of the command, as a shell gives it; 0 where it was ended from here."""
        # A handler of its own: what is ignored here would be ignored by the command as well.
        signal.signal(signal.SIGTERM, self._ask_to_end)
        # What loses its parent becomes a child of this process, which can then wait for it.
        _ask_kernel(_CHILD_SUBREAPER, 1)
        if os.getppid() != self._parent:
            return 0
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=lead_group)
        while child.poll() is None and not self._has_to_end():
            pass
        status = child.returncode
        if status is None:
            _end_group(child, self._patience_s)
            return 0
        _end_group(child, min(self._patience_s, ORPHANS_PATIENCE_S))
        return status if status >= 0 else 128 - status

    def _ask_to_end(self, *_: Any) -> None:
        self._is_asked_to_end = True

    def _has_to_end(self) -> bool:
        return os.getppid() != self._parent or _input_has_ended() or self._is_asked_to_end


def lead_group() -> None:
    """Of a new process: a group of its own, and a polite end when the guard is killed.

    A server that is killed leaves its workers behind, one that is asked to end takes them along.
    """
    os.setpgid(0, 0)
    # The guard's only thread starts the command: the kernel means the thread, not the process.
    _ask_kernel(_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _ask_kernel(option: int, value: int) -> None:
    # Only Linux has it; elsewhere the guard alone watches.
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(option, value)


def _input_has_ended() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], INTERVAL_S)
    return bool(ready) and not os.read(sys.stdin.fileno(), 1)


def _end_group(leader: subprocess.Popen[bytes], patience_s: float) -> None:
    for number, limit_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, KILLED_WITHIN_S)):
        _signal_group(leader.pid, number)
        until = time.monotonic() + limit_s
        while _group_is_alive(leader):
            if time.monotonic() > until:
                break
            time.sleep(INTERVAL_S / 5)


def _group_is_alive(leader: subprocess.Popen[bytes]) -> bool:
    """Whether any process of the group is; those that have ended are waited for."""
    leader.poll()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-leader.pid, os.WNOHANG)[0]:
            pass
    return _signal_group(leader.pid, 0)


def _signal_group(group: int, number: int) -> bool:
    """Whether there is one; macOS refuses signals to a group of ended processes alone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(Guard(int(sys.argv[1]), float(sys.argv[2])).run(sys.argv[3:]))
