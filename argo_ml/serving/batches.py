"""One thread for work that comes from many: what waits while it works is its next batch."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")
logger = logging.getLogger(__name__)


class BatchThread(Generic[Job]):
    """Hands jobs to ``work``, at most ``largest`` at once, in a thread that starts with the first.

    ``work`` deals with its own errors; after another one, which is logged, the thread goes on. At
    most ``most_waiting`` jobs wait; 0 is any number.
    """

    def __init__(
        self, name: str, work: Callable[[list[Job]], None], largest: int, most_waiting: int = 0
    ) -> None:
        self._name = name
        self._work = work
        self._largest = largest
        self._waiting: queue.Queue[Job] = queue.Queue(most_waiting)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, job: Job) -> bool:
        """Whether there was room for it."""
        try:
            self._waiting.put_nowait(job)
        except queue.Full:
            return False
        self._start()
        return True

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is done; whether it is, where no longer than ``timeout_s`` is
        waited."""
        done = self._waiting.all_tasks_done
        with done:
            return done.wait_for(lambda: not self._waiting.unfinished_tasks, timeout_s)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < self._largest and not self._waiting.empty():
                batch.append(self._waiting.get())
            try:
                self._work(batch)
            except Exception:
                logger.exception("the thread of %s met an error", self._name)
            finally:
                for _ in batch:
                    self._waiting.task_done()
