"""A polite stop: what is being computed is finished and stored first."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
logger = logging.getLogger(__name__)

# Signals belong to the process, and so does this.
_requested = threading.Event()


@contextlib.contextmanager
def finishing_batches() -> Iterator[None]:
    """Inside, a first SIGINT or SIGTERM waits for the next `checkpoint`; a second does not.

    Where the block ends in an error, one that waits was meant for what has ended by it.

    Does nothing where signals cannot be handled, which is outside of the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _handle) for number in SIGNALS}
    try:
        yield
    except BaseException:
        _requested.clear()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def checkpoint() -> None:
    """Raises `KeyboardInterrupt` where a stop was asked for; called between two batches."""
    if _requested.is_set():
        _requested.clear()
        raise KeyboardInterrupt


def _handle(number: int, frame: FrameType | None) -> None:
    if _requested.is_set():
        checkpoint()
    _requested.set()
    logger.warning("stopping when the present batch is finished and stored; again: at once")
