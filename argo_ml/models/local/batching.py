"""Batches by the tokens that they keep at once, halved when memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from argo_ml.interruption import is_stopping
from argo_ml.models.base import InterruptedRequests, UnfinishedError

ResultType = TypeVar("ResultType")
MUCH_SMALLER = 0.25
"""Share of the limit below which batches are told of while other processes hold the memory."""
logger = logging.getLogger(__name__)


class OutOfMemory(Exception):
    """A batch did not fit; raised by what runs it."""


class DoesNotFit(UnfinishedError):
    """Raised where not even a single request fits into memory."""


@dataclass(frozen=True, slots=True)
class RequestSize:
    """Tokens of one request: a prompt held ``copies`` times, each followed by ``new`` more.

    ``prompt`` are its tokens to compute, after ``known`` ones that are only held. ``shared``
    prompts are additionally computed once before they are copied. Requests of another ``kind`` are
    never in the same batch.
    """

    prompt: int
    new: int
    copies: int = 1
    shared: bool = False
    known: int = 0
    kind: int = 0

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return self.known + self.prompt


def padded_tokens(sizes: Sequence[RequestSize]) -> int:
    """Tokens that a batch of these requests keeps at once, padding included."""
    prompt = max(size.length for size in sizes)
    new = max(size.new for size in sizes)
    rows = sum(size.copies for size in sizes)
    shared = sum(size.shared for size in sizes)
    return rows * (prompt + new) + shared * prompt


class Batcher:
    """Runs requests in batches of at most ``limit`` padded tokens.

    The longest requests come first, so that a batch that does not fit is met at once, and those
    of one batch are of similar length. When a batch raises `OutOfMemory`, ``release`` is called
    and the limit is halved for good, which ``on_event`` receives as a line; finished batches are
    not repeated. ``fitting_now`` may say before each batch that it has to be smaller, which is told
    once where it is much smaller.
    """

    def __init__(
        self,
        limit: int,
        release: Callable[[], None] = lambda: None,
        on_event: Callable[[str], None] = logger.warning,
        fitting_now: Callable[[], int] | None = None,
    ) -> None:
        self.limit = limit
        self._release = release
        self._on_event = on_event
        self._fitting_now = fitting_now
        self._is_told = False

    def run(
        self, sizes: Sequence[RequestSize], run: Callable[[list[int]], Sequence[ResultType]]
    ) -> list[ResultType]:
        """Results of all requests, in their order; ``run`` takes the indices of one batch.

        Raises `DoesNotFit` if a single request does not fit, and `InterruptedRequests` between two
        batches where a stop was asked for.
        """
        order = [(size.kind, -size.length) for size in sizes]
        waiting = sorted(range(len(sizes)), key=order.__getitem__)
        results: dict[int, ResultType] = {}
        while waiting:
            if is_stopping():
                raise InterruptedRequests(results, n_under_way=0)
            batch = self._next_batch(waiting, sizes)
            failed = False
            try:
                results.update(zip(batch, run(batch), strict=True))
            except OutOfMemory:
                # Recovery happens outside this block: the exception holds the batch's tensors.
                failed = True
            if failed:
                self._release()
                self._halve([sizes[index] for index in batch], results)
            else:
                waiting = waiting[len(batch) :]
        return [results[index] for index in range(len(sizes))]

    def _next_batch(self, waiting: Sequence[int], sizes: Sequence[RequestSize]) -> list[int]:
        """The longest prefix within the limits, and at least one request."""
        limit = self._limit_now()
        batch, members = [waiting[0]], [sizes[waiting[0]]]
        for index in waiting[1:]:
            members.append(sizes[index])
            if sizes[index].kind != members[0].kind:
                break
            if padded_tokens(members) > limit:
                break
            batch.append(index)
        return batch

    def _limit_now(self) -> int:
        fitting = self._fitting_now() if self._fitting_now else self.limit
        if fitting < MUCH_SMALLER * self.limit and not self._is_told:
            self._is_told = True
            self._on_event(f"batches of {fitting} tokens while other processes hold the memory")
        return min(self.limit, fitting)

    def _halve(self, batch: Sequence[RequestSize], finished: Mapping[int, Any]) -> None:
        used = padded_tokens(batch)
        if len(batch) == 1:
            raise DoesNotFit(
                f"out of memory for a single request of {used} tokens; "
                "use a smaller model, a lower precision or shorter prompts",
                finished,
            )
        self.limit = used // 2
        self._on_event(f"out of memory with a batch of {used} tokens; going on with half")


_OUT_OF_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUDA driver error: out of memory",
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "HIP error: out of memory",
    "HIP out of memory",
    "HIPBLAS_STATUS_ALLOC_FAILED",
)
"""What the CPU's allocator, drivers and their libraries say without an error class of their own.

The driver's own words come where memory is mapped, as PyTorch does with expandable segments.
"""


def says_out_of_memory(text: str) -> bool:
    return any(words in text for words in _OUT_OF_MEMORY)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, whatever its class."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or says_out_of_memory(str(error))


@contextmanager
def out_of_memory_noticed() -> Iterator[None]:
    """Raise `OutOfMemory` for what torch raises on GPUs and on the CPU when memory runs out."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(str(error)) from None
