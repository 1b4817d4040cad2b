"""Batches by padded tokens, halved when memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from argo_ml.errors import ModelError

ResultType = TypeVar("ResultType")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Size:
    """Tokens of one request: a prompt held ``copies`` times, each followed by ``new`` more.

    ``shared`` prompts are additionally computed once before they are copied.
    """

    prompt: int
    new: int
    copies: int = 1
    shared: bool = False


def padded_tokens(sizes: Sequence[Size]) -> int:
    """Tokens that a batch of these requests keeps at once, padding included."""
    prompt = max(size.prompt for size in sizes)
    new = max(size.new for size in sizes)
    rows = sum(size.copies for size in sizes)
    shared = sum(size.shared for size in sizes)
    return rows * (prompt + new) + shared * prompt


def run_in_batches(
    sizes: Sequence[Size],
    limit: int,
    run: Callable[[list[int]], Sequence[ResultType]],
    out_of_memory: type[BaseException],
    release: Callable[[], None] = lambda: None,
) -> list[ResultType]:
    """Results of all requests, in their order.

    ``run`` takes the indices of one batch. The longest come first, so that a batch that does not
    fit is met at once. When ``run`` raises ``out_of_memory``, ``release`` is called and the limit
    is halved; finished batches are not repeated. Raises `ModelError` if a single request does
    not fit.
    """
    waiting = sorted(range(len(sizes)), key=lambda index: -(sizes[index].prompt + sizes[index].new))
    results: dict[int, ResultType] = {}
    while waiting:
        batch = _next_batch(waiting, sizes, limit)
        failed = False
        try:
            results.update(zip(batch, run(batch), strict=True))
        except out_of_memory:
            # Recovery happens outside this block: the exception holds the failed batch's tensors.
            failed = True
        if failed:
            limit = _halved(sizes, batch)
            release()
        else:
            waiting = waiting[len(batch) :]
    return [results[index] for index in range(len(sizes))]


def _next_batch(waiting: Sequence[int], sizes: Sequence[Size], limit: int) -> list[int]:
    """The longest prefix within the limit, and at least one request."""
    batch = [waiting[0]]
    for index in waiting[1:]:
        if padded_tokens([sizes[member] for member in [*batch, index]]) > limit:
            break
        batch.append(index)
    return batch


def _halved(sizes: Sequence[Size], batch: Sequence[int]) -> int:
    used = padded_tokens([sizes[index] for index in batch])
    if len(batch) == 1:
        raise ModelError(
            f"out of memory for a single request of {used} tokens; "
            "use a smaller model, a lower precision or shorter prompts"
        )
    logger.warning("out of memory with batches of %d tokens; going on with half", used)
    return used // 2
