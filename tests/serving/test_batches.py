"""Work that comes while other work is done."""

from __future__ import annotations

import threading

import pytest

from argo_ml.serving.batches import BatchThread


def test_what_waits_while_a_batch_runs_is_the_next_one() -> None:
    batches: list[list[int]] = []
    begun, go_on = threading.Event(), threading.Event()

    def work(batch: list[int]) -> None:
        batches.append(batch)
        begun.set()
        go_on.wait(10)

    thread = BatchThread("work", work, largest=3)
    thread.put(0)
    begun.wait(10)
    for number in range(1, 6):
        thread.put(number)
    go_on.set()
    thread.join()

    assert batches == [[0], [1, 2, 3], [4, 5]]


def test_what_finds_no_room_is_said() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(batch: list[int]) -> None:
        begun.set()
        go_on.wait(10)

    thread = BatchThread("work", work, largest=1, most_waiting=1)
    assert thread.put(0)
    begun.wait(10)

    assert thread.put(1)
    assert not thread.put(2)
    go_on.set()
    thread.join()


def test_an_error_that_work_does_not_deal_with_ends_neither_the_thread_nor_who_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []

    def work(batch: list[int]) -> None:
        if 0 in batch:
            raise OSError("too many open files")
        done.extend(batch)

    thread = BatchThread("work", work, largest=1)
    assert thread.put(0) and thread.put(1)
    assert thread.join(10)
    assert done == [1]
    assert "too many open files" in caplog.text


def test_no_longer_than_asked_for_is_waited() -> None:
    let_go = threading.Event()
    thread: BatchThread[int] = BatchThread("work", lambda _: _wait(let_go), largest=1)
    thread.put(0)
    assert not thread.join(0.05)
    let_go.set()
    assert thread.join(10)


def _wait(event: threading.Event) -> None:
    event.wait(10)
