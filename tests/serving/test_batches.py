"""Work that comes while other work is done."""

from __future__ import annotations

import threading

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
