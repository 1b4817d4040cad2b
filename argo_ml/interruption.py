"""A polite stop: what is being computed is finished and stored first."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM)
logger = logging.getLogger(__name__)
BatchType = TypeVar("BatchType")
_POLL_S = 0.2

# Signals belong to the process, and so do these.
_requested = threading.Event()
_kept: list[int] = []


@contextlib.contextmanager
def finishing_batches() -> Iterator[None]:
    """Inside, a first SIGINT or SIGTERM waits for the next `checkpoint`; a second does not.

    Where the block ends in an error, one that waits was meant for what has ended by it.

    Does nothing where signals cannot be handled, which is outside of the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        with _handled_by(_handle):
            yield
    except BaseException:
        forget_stop()
        raise


def in_batches(batches: Iterable[BatchType]) -> Iterator[BatchType]:
    """The same batches: a first SIGINT or SIGTERM while one is made is obeyed once whoever asked
    for it has stored it."""
    iterator = iter(batches)
    while True:
        checkpoint()
        with finishing_batches():
            try:
                batch = next(iterator)
            except StopIteration:
                break
        yield batch
    checkpoint()


def checkpoint() -> None:
    """Raises `KeyboardInterrupt` where a stop was asked for; called between two batches."""
    if _requested.is_set():
        forget_stop()
        raise KeyboardInterrupt


def is_stopping() -> bool:
    """Whether a stop was asked for that waits for the next `checkpoint`; other threads may ask."""
    return _requested.is_set()


def pause(seconds: float) -> None:
    """Sleep, in any thread, but no longer than until a stop is asked for.

    Raises `KeyboardInterrupt` then, also where it was asked for before.
    """
    # Not by waiting for the event: a handler that sets it in the main thread would need its lock.
    until = time.monotonic() + seconds
    while not is_stopping():
        left_s = until - time.monotonic()
        if left_s <= 0:
            return
        time.sleep(min(left_s, _POLL_S))
    raise KeyboardInterrupt


def forget_stop() -> None:
    """One that still waits was meant for what has just ended by an error, and for nothing that
    begins later."""
    _requested.clear()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Inside, a first SIGINT or SIGTERM waits for the end of the block and is then obeyed as it
    would have been; a second does not wait.

    For transactions: one that is left open by an interruption locks this very process out of the
    database.

    Does nothing where signals cannot be handled, which is outside of the main thread.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is _keep:
        yield
        return
    try:
        with _handled_by(_keep):
            yield
    finally:
        numbers = list(_kept)
        _kept.clear()
        for number in numbers:
            signal.raise_signal(number)


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Signals that something other than Python handles are left to it."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ours = {number: known for number, known in before.items() if known is not None}
    try:
        for number in ours:
            signal.signal(number, handler)
        yield
    finally:
        for number, known in ours.items():
            signal.signal(number, known)


def _keep(number: int, frame: FrameType | None) -> None:
    if _kept:
        _kept.clear()
        raise KeyboardInterrupt
    _kept.append(number)
    logger.warning("stopping when what is being stored is stored; again: at once")


def _handle(number: int, frame: FrameType | None) -> None:
    if _requested.is_set():
        checkpoint()
    _requested.set()
    logger.warning("stopping when the present batch is finished and stored; again: at once")
