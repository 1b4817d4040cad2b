from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.interruption import finishing_batches
from argo_ml.models.base import InterruptedRequests
from argo_ml.models.local.batching import (
    Batcher,
    DoesNotFit,
    OutOfMemory,
    RequestSize,
    out_of_memory_noticed,
    padded_tokens,
)

SIZES = st.lists(
    st.builds(
        RequestSize, st.integers(1, 300), st.integers(0, 50), st.integers(1, 5), st.booleans()
    ),
    max_size=40,
)


class Recorder:
    """Gives each request its index, and runs out of memory above ``capacity`` padded tokens."""

    def __init__(self, sizes: Sequence[RequestSize], capacity: int = 10**9) -> None:
        self.sizes = sizes
        self.batches: list[list[int]] = []
        self.n_failures = 0
        self._capacity = capacity

    def __call__(self, batch: list[int]) -> list[int]:
        if padded_tokens([self.sizes[index] for index in batch]) > self._capacity:
            self.n_failures += 1
            raise OutOfMemory
        self.batches.append(batch)
        return batch


def test_padded_tokens_are_rows_of_the_longest_prompt_and_continuation() -> None:
    assert padded_tokens([RequestSize(10, 5), RequestSize(20, 3)]) == 2 * (20 + 5)


def test_padded_tokens_of_shared_prompts_count_the_prompt_once_more() -> None:
    assert padded_tokens([RequestSize(10, 2, copies=4, shared=True)]) == 4 * 12 + 10


def test_known_tokens_are_held_as_well() -> None:
    assert padded_tokens([RequestSize(10, 5, known=90), RequestSize(60, 5)]) == 2 * (100 + 5)


def test_longest_requests_come_first() -> None:
    recorder = Recorder([RequestSize(n, 8) for n in (10, 400, 12, 390, 11)])
    assert Batcher(820).run(recorder.sizes, recorder) == [0, 1, 2, 3, 4]
    assert recorder.batches == [[1, 3], [2, 4, 0]]


def test_no_requests_make_no_batch() -> None:
    recorder = Recorder([])
    assert Batcher(100).run([], recorder) == []
    assert recorder.batches == []


def test_a_request_above_the_limit_runs_alone() -> None:
    recorder = Recorder([RequestSize(500, 10), RequestSize(490, 10)])
    Batcher(100).run(recorder.sizes, recorder)
    assert recorder.batches == [[0], [1]]


@given(SIZES, st.integers(1, 5000))
def test_every_request_runs_once_within_the_limits(sizes: list[RequestSize], limit: int) -> None:
    recorder = Recorder(sizes)
    assert Batcher(limit).run(sizes, recorder) == list(range(len(sizes)))
    assert sorted(index for batch in recorder.batches for index in batch) == [*range(len(sizes))]
    for batch in recorder.batches:
        members = [sizes[index] for index in batch]
        assert len(batch) == 1 or padded_tokens(members) <= limit


def test_a_batch_is_smaller_while_less_fits_and_the_limit_stays() -> None:
    fitting = iter((200, 10_000))
    batcher = Batcher(400, fitting_now=lambda: next(fitting))
    recorder = Recorder([RequestSize(90, 10)] * 6)
    assert batcher.run(recorder.sizes, recorder) == [0, 1, 2, 3, 4, 5]
    assert recorder.batches == [[0, 1], [2, 3, 4, 5]]
    assert batcher.limit == 400


def test_batches_that_are_much_smaller_for_others_are_told_of_once() -> None:
    told: list[str] = []
    batcher = Batcher(800, on_event=told.append, fitting_now=lambda: 100)
    recorder = Recorder([RequestSize(90, 10)] * 3)
    assert batcher.run(recorder.sizes, recorder) == [0, 1, 2]
    assert told == ["batches of 100 tokens while other processes hold the memory"]


def test_limit_halves_when_memory_runs_out_and_stays_so() -> None:
    released: list[bool] = []
    batcher = Batcher(1000, lambda: released.append(True))
    first = Recorder([RequestSize(90, 10)] * 10, capacity=300)
    assert batcher.run(first.sizes, first) == list(range(10))
    assert first.n_failures == len(released) == 2
    assert batcher.limit == 250
    second = Recorder([RequestSize(90, 10)] * 10, capacity=300)
    batcher.run(second.sizes, second)
    assert second.n_failures == 0


def test_finished_batches_are_not_repeated_after_memory_ran_out() -> None:
    fails = iter([False, True, False, False])
    batches: list[list[int]] = []

    def run(batch: list[int]) -> list[int]:
        if next(fails):
            raise OutOfMemory
        batches.append(batch)
        return batch

    Batcher(200).run([RequestSize(90, 10)] * 4, run)
    assert batches == [[0, 1], [2], [3]]


def test_a_single_request_that_does_not_fit_is_an_error_that_keeps_the_finished_ones() -> None:
    fits = iter((True, True, False))

    def run(batch: list[int]) -> list[str]:
        if not next(fits):
            raise OutOfMemory
        return [f"answer {index}" for index in batch]

    with pytest.raises(DoesNotFit, match="single request of 100 tokens") as caught:
        Batcher(100).run([RequestSize(90, 10)] * 4, run)
    assert caught.value.finished == {0: "answer 0", 1: "answer 1"}


def test_a_stop_is_obeyed_between_two_batches_and_keeps_the_finished_ones() -> None:
    batches: list[list[int]] = []

    def run(batch: list[int]) -> list[str]:
        batches.append(batch)
        os.kill(os.getpid(), signal.SIGTERM)
        return [f"answer {index}" for index in batch]

    with pytest.raises(InterruptedRequests) as caught, finishing_batches():
        Batcher(200).run([RequestSize(90, 10)] * 6, run)
    assert batches == [[0, 1]]
    assert (caught.value.finished, caught.value.n_under_way) == ({0: "answer 0", 1: "answer 1"}, 0)


def test_other_errors_pass() -> None:
    def run(batch: list[int]) -> list[int]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Batcher(100).run([RequestSize(1, 1)], run)


def test_torch_running_out_of_memory_is_noticed() -> None:
    import torch

    with pytest.raises(OutOfMemory), out_of_memory_noticed():
        torch.empty(10**15)
    with pytest.raises(OutOfMemory), out_of_memory_noticed():
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="shape"), out_of_memory_noticed():
        torch.ones(3).view(2)


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "CUDA driver error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling",
        "HIP error: out of memory",
        "HIP out of memory. Tried to allocate 2.00 GiB",
        "CUDA error: HIPBLAS_STATUS_ALLOC_FAILED when calling",
    ],
)
def test_libraries_running_out_of_memory_are_noticed(message: str) -> None:
    with pytest.raises(OutOfMemory), out_of_memory_noticed():
        raise RuntimeError(message)
