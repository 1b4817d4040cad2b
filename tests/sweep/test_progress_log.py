"""What is logged while shards run, beside a store that is gone."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from argo_ml.sweep.progress_log import LOG_EVERY_S, ProgressLog


class SilentRun:
    """Its store does not answer until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.is_daemon = False

    def log_progress(self) -> None:
        self.is_daemon = threading.current_thread().daemon
        self.begun.set()
        self.let_go.wait(30)


@pytest.fixture
def silent() -> Any:
    return SilentRun()


def test_closing_waits_briefly_for_a_store_that_is_gone(
    silent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argo_ml.sweep.progress_log.LAST_WORDS_S", 0.1)
    progress, started = ProgressLog([silent]), time.monotonic()
    progress.add()
    assert silent.begun.wait(10)
    progress.close()
    assert time.monotonic() - started < 10
    assert silent.is_daemon
    silent.let_go.set()


def test_finishing_waits_until_all_is_logged_and_raises_what_logging_met() -> None:
    class Refusing(SilentRun):
        def log_progress(self) -> None:
            raise OSError("no space left")

    refusing: Any = Refusing()
    with pytest.raises(OSError, match="no space left"):
        ProgressLog([refusing]).finish()


def test_shards_that_end_soon_after_another_are_logged_with_the_next_or_at_the_end() -> None:
    class Counting(SilentRun):
        n_requests = 0

        def log_progress(self) -> None:
            self.n_requests += 1

    counting: Any = Counting()
    now = 100.0
    progress = ProgressLog([counting], clock=lambda: now)

    def add() -> int:
        progress.add()
        progress.close()
        return int(counting.n_requests)

    assert [add(), add(), add()] == [1, 1, 1]
    now += LOG_EVERY_S
    assert [add(), add()] == [2, 2]
    progress.finish()
    assert counting.n_requests == 3
