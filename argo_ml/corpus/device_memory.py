"""Models of the corpus where a device has too little memory for them: less at once, or the CPU."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from argo_ml.devices import torch_memory
from argo_ml.errors import ModelError
from argo_ml.models.local.batching import OutOfMemory, out_of_memory_noticed

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


def load_where_it_fits(load: Callable[[str], Result], device: str, name: str) -> Result:
    """What ``load`` loads to ``device``, or to the CPU where there is no memory left for it.

    Raises `ModelError` where the CPU has none either, and what ``load`` raises.
    """
    for place in dict.fromkeys((device, "cpu")):
        try:
            with out_of_memory_noticed():
                return load(place)
        except OutOfMemory:
            if place != "cpu":
                logger.warning("%s: no memory left on %s; it goes to the CPU", name, place)
    raise ModelError(f"{name}: no memory left for it; end other programs, or use a smaller one")


class FittingBatches:
    """Computes in batches of ``size`` texts, halved for good when memory runs out."""

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self._name = name

    def run(self, compute: Callable[[int], Result]) -> Result:
        """The result of ``compute``, which receives the size. Raises `ModelError` where not even
        one text fits."""
        while True:
            try:
                with out_of_memory_noticed():
                    return compute(self.size)
            except OutOfMemory:
                failed = self.size
            # Outside of the block: the exception holds the batch's tensors.
            if failed == 1:
                raise ModelError(
                    f"{self._name}: no memory left for a single text; use device=cpu, or a smaller "
                    "chunk_size"
                )
            self.size = failed // 2
            logger.warning(
                "%s: out of memory with %d texts at once; going on with %d",
                self._name,
                failed,
                self.size,
            )
            torch_memory.release()
