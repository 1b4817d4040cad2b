"""What is logged while shards run, beside a store that is gone."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from argo_ml.errors import TrackingError
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


class Away(SilentRun):
    """Its store is gone for a while."""

    is_gone = True
    n_logged = 0

    def log_progress(self) -> None:
        if self.is_gone:
            raise TrackingError("nothing answers")
        self.n_logged += 1


def test_a_store_that_is_gone_for_a_while_ends_nothing_and_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away: Any = Away()
    now = 100.0
    progress = ProgressLog([away], clock=lambda: now)

    for _ in range(3):
        progress.add()
        progress.close()
        now += LOG_EVERY_S
    away.is_gone = False
    progress.finish()

    assert away.n_logged == 1
    assert [message.split("; ")[0] for message in caplog.messages] == ["nothing answers"]


def test_a_store_that_is_gone_at_the_end_is_an_error() -> None:
    away: Any = Away()
    progress = ProgressLog([away])
    progress.add()

    with pytest.raises(TrackingError, match="nothing answers"):
        progress.finish()
