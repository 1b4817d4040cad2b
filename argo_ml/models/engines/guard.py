"""Runs a command that ends with the process that started this one, however that ends.

``python guard.py PARENT COMMAND …``: PARENT is a process id. Run as a file and with the standard
library alone, so that it starts at once and needs little memory. The command ends when PARENT does,
or when standard input does; and with this process itself where Linux lets it ask for that.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

INTERVAL_S = 0.25
PATIENCE_S = 3.0
_PARENT_DEATH_SIGNAL = 1


def end_with_guard() -> None:
    """Of the kernel: to end this process when the guard is killed."""
    # The guard's only thread starts the command: the kernel means the thread, not the process.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def run(parent: int, command: Sequence[str]) -> int:
    """The exit status of the command, as a shell gives it."""
    if os.getppid() != parent:
        return 0
    # Only Linux has it; elsewhere the guard alone watches.
    prepare: Callable[[], None] | None = end_with_guard if sys.platform == "linux" else None
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=prepare)
    while child.poll() is None:
        if os.getppid() != parent or _input_has_ended():
            _end(child)
            return 0
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _input_has_ended() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], INTERVAL_S)
    return bool(ready) and not os.read(sys.stdin.fileno(), 1)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))
