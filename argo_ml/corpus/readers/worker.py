"""The process that reads documents for another: paths come in, sections or reasons go out.

Lines of JSON both ways. ``python -m argo_ml.corpus.readers.worker SECONDS MEGABYTES``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from argo_ml.corpus.readers.base import UnreadableError
from argo_ml.corpus.readers.reading import MIB, read_file

try:
    import resource
except ModuleNotFoundError:  # Windows: the process that started this one watches alone.
    resource = None  # type: ignore[assignment]

READY = "ready"
OUT_OF_MEMORY = "out of memory"
_GRACE_S = 5
"""By which the watching process is first; its death leaves nobody else to end an endless parser."""


def main(seconds: float, memory_mb: int) -> None:
    """Answer every path on standard input, until it ends or memory has run out."""
    # Ctrl-C is for the process that started this one, which then closes the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as replies:
        # What a parser prints is no reply.
        os.dup2(2, 1)
        replies.write(json.dumps(READY).encode() + b"\n")
        replies.flush()
        _limit_memory(memory_mb)
        for line in sys.stdin.buffer:
            _limit_seconds(seconds)
            reply = _reply(Path(json.loads(line)))
            replies.write(json.dumps(reply).encode() + b"\n")
            replies.flush()
            if OUT_OF_MEMORY in reply:
                return


def _reply(path: Path) -> Mapping[str, Any]:
    try:
        reading = read_file(path)
    except UnreadableError as error:
        return {"reason": str(error)}
    except MemoryError:
        return {OUT_OF_MEMORY: True}
    sections = [[section.titles, section.text] for section in reading.sections]
    return {"sections": sections, "guess": reading.guess}


def _limit_memory(memory_mb: int) -> None:
    if resource is not None:
        _set_limit(resource.RLIMIT_DATA, memory_mb * MIB)


def _limit_seconds(seconds: float) -> None:
    """Let the system end the process when this document has had its processor time."""
    if resource is not None:
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        _set_limit(resource.RLIMIT_CPU, int(used + seconds + _GRACE_S))


def _set_limit(which: int, most: int) -> None:
    """A system may refuse it: macOS counts hundreds of gigabytes of addresses as data. The process
    that started this one watches alone then."""
    _, hard = resource.getrlimit(which)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(which, (most, hard))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
