"""Several requests at once: how many, in which order, and what ends with the process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from argo_ml.errors import ModelError
from argo_ml.interruption import finishing_batches, is_stopping, pause
from argo_ml.models.base import InterruptedRequests, UnfinishedError
from argo_ml.models.server.request_pool import RequestPool

INTERRUPTED = """
import os, signal, threading
from argo_ml.models.server.request_pool import RequestPool

interrupted = threading.Event()

def work(request):
    # Again, since a signal that comes just before a thread waits does not wake it.
    while request == "interrupt" and not interrupted.wait(0.2):
        os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()

try:
    RequestPool(2).run(work, ["wait", "interrupt", "never begun"])
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupted.set()
    raise
"""


class Counting:
    """Work that is over once ``n_expected`` of it are under way together."""

    def __init__(self, n_expected: int) -> None:
        self.barrier = threading.Barrier(n_expected)
        self.lock = threading.Lock()
        self.n_running = self.n_most = 0

    def __call__(self, request: int) -> int:
        with self.lock:
            self.n_running += 1
            self.n_most = max(self.n_most, self.n_running)
        self.barrier.wait(timeout=5)
        with self.lock:
            self.n_running -= 1
        return request


def test_results_come_in_the_order_of_requests() -> None:
    assert RequestPool(4).run(lambda n: n * 2, range(100)) == [n * 2 for n in range(100)]
    assert RequestPool(4).run(lambda n: n, []) == []


def test_lists_share_what_runs_at_once() -> None:
    pool, work = RequestPool(2), Counting(2)
    with ThreadPoolExecutor(3) as callers:
        lists = list(callers.map(lambda _: pool.run(work, [1, 2, 3, 4]), range(3)))
    assert lists == [[1, 2, 3, 4]] * 3
    assert work.n_most == 2


def test_nothing_is_begun_after_a_failure_and_what_was_finished_is_kept() -> None:
    def work(n: int) -> int:
        if n == 2:
            raise ModelError("no more")
        time.sleep(0.01 * (n > 2))
        return n

    with pytest.raises(UnfinishedError, match="no more") as caught:
        RequestPool(1).run(work, range(50))
    assert {0, 1} <= caught.value.finished.keys()
    assert len(caught.value.finished) < 49


def test_an_interruption_comes_with_what_was_finished() -> None:
    let_go, main = threading.Event(), threading.main_thread().ident
    assert main is not None

    def work(request: str) -> str:
        if request == "interrupts":
            time.sleep(0.3)
            signal.pthread_kill(main, signal.SIGINT)
        if request != "quick":
            let_go.wait(10)
        return request

    with pytest.raises(InterruptedRequests) as caught:
        RequestPool(2).run(work, ["quick", "interrupts", "waits", "never begun"])
    let_go.set()
    assert (caught.value.finished, caught.value.n_under_way) == ({0: "quick"}, 2)


def test_after_a_stop_what_is_under_way_is_finished_and_nothing_else_begun() -> None:
    main = threading.main_thread().ident
    assert main is not None

    def work(n: int) -> int:
        time.sleep(0.02)
        if n == 1:
            signal.pthread_kill(main, signal.SIGTERM)
        return n

    with pytest.raises(InterruptedRequests) as caught, finishing_batches():
        RequestPool(1).run(work, range(50))
    assert {0, 1} <= caught.value.finished.keys()
    assert (len(caught.value.finished) < 50, caught.value.n_under_way) == (True, 0)


def refused_after_the_stop() -> None:
    while not is_stopping():
        time.sleep(0.01)
    raise ModelError("cannot be reached")


@pytest.mark.parametrize("end", [refused_after_the_stop, partial(pause, 60)])
def test_after_a_stop_what_fails_or_pauses_is_an_interruption(end: Callable[[], None]) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def work(n: int) -> int:
        if n == 0:
            threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGTERM)).start()
            end()
        return n

    with pytest.raises(InterruptedRequests) as caught, finishing_batches():
        RequestPool(2).run(work, range(3))
    assert (caught.value.finished, caught.value.n_under_way) == ({1: 1, 2: 2}, 0)


def test_an_error_of_another_kind_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        RequestPool(2).run(lambda n: 1 // n, [1, 0])


def test_threads_are_none_that_the_end_of_a_process_waits_for() -> None:
    daemons = RequestPool(2).run(lambda _: threading.current_thread().daemon, range(3))
    assert daemons == [True] * 3


@pytest.mark.slow
def test_a_process_that_is_interrupted_ends_although_requests_go_on() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=30, check=False
    )
    assert "InterruptedRequests" in ended.stderr
