"""One event loop for all coroutines of a recording."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable
from concurrent.futures import Future, wait
from typing import TypeVar

from argo_ml.background import begin

ResultType = TypeVar("ResultType")


class EventLoop:
    """An event loop in a thread of its own, from the first coroutine until it is closed.

    Clients, such as sessions of HTTP, stay bound to the loop that they are first used in.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._ended: Future[None] | None = None

    def result_of(self, awaitable: Awaitable[ResultType]) -> ResultType:
        """What it comes to; any thread but the loop's own may wait for that."""

        async def awaited() -> ResultType:
            return await awaitable

        loop = self._begun()
        return asyncio.run_coroutine_threadsafe(awaited(), loop).result()

    def close(self) -> None:
        """End the loop and what still runs in it; does nothing where it has not begun."""
        if self._ended is None or self._running.exception():
            return
        loop, closing = self._running.result()
        # A pipeline that has ended its thread has closed the loop as well.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(closing.set)
        wait([self._ended])

    def _begun(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._ended is None:
                self._ended = begin("pipeline event loop", self._run)
        return self._running.result()[0]

    def _run(self) -> None:
        try:
            asyncio.run(self._until_closed())
        except BaseException as error:
            if not self._running.done():
                # It could not begin, for which nobody is to wait.
                self._running.set_exception(error)
            raise

    async def _until_closed(self) -> None:
        closing = asyncio.Event()
        self._running.set_result((asyncio.get_running_loop(), closing))
        await closing.wait()
