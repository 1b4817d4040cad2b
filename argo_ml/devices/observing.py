"""Reads the devices that an experiment uses while it runs."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from argo_ml.config import DeviceFields
from argo_ml.devices import (
    Driver,
    DriverError,
    Recorder,
    ResourceUsage,
    concerns,
    driver_indices,
    limits,
    open_driver,
    torch_memory,
)
from argo_ml.devices.choosing import choose_gpus
from argo_ml.devices.cuda import count_gpus
from argo_ml.errors import ModelError

logger = logging.getLogger(__name__)

Seconds = Callable[[], Mapping[str, float]]
"""Gives the seconds of every stage until now."""


class Observation:
    """What was read so far; ``indices`` are the driver's, by PyTorch's numbers of the GPUs.

    ``seconds`` gives what every stage has taken until it is called, and ``is_served`` says whether
    servers compute with the language model.
    """

    def __init__(
        self,
        recorder: Recorder,
        indices: Mapping[int, int],
        seconds: Seconds,
        is_served: bool = False,
    ) -> None:
        self._recorder = recorder
        self._indices = indices
        self._seconds = seconds
        self._is_served = is_served
        self._seconds_before = seconds()

    def usage(self) -> ResourceUsage:
        peaks = torch_memory.peaks_mb(self._indices)
        by_index = {self._indices[gpu]: peak for gpu, peak in peaks.items()}
        return self._recorder.readings.usage(limits.n_cores(), by_index, self._is_served)

    def concerns(self, has_computed: bool) -> list[str]:
        """One line for each thing about the GPUs that someone should look at.

        ``has_computed``: the language model has, in this process.
        """
        before = self._seconds_before
        seconds = {stage: value - before[stage] for stage, value in self._seconds().items()}
        return list(concerns(self.usage(), seconds, has_computed))


@contextlib.contextmanager
def observing_devices(
    spec: DeviceFields, seconds: Seconds, is_served: bool = False
) -> Iterator[Observation]:
    """Take readings while the block runs; none of them can end it."""
    with open_driver() as driver:
        chosen = gpus_in_use(spec, count_gpus())
        indices = readable(driver, chosen)
        torch_memory.reset_peaks(indices)
        with Recorder(driver, indices.values()) as recorder:
            yield Observation(recorder, indices, seconds, is_served)


def gpus_in_use(spec: DeviceFields, n_visible: int) -> tuple[int, ...]:
    """GPUs of this machine that the spec may use; those of other machines are not here."""
    if not n_visible:
        return ()
    try:
        return choose_gpus(spec.device, spec.gpus, n_visible)
    except ModelError:
        return ()


def readable(driver: Driver | None, chosen: Sequence[int]) -> dict[int, int]:
    """The driver's indices of those of PyTorch's GPUs that can be read; why not is logged."""
    if not chosen:
        return {}
    if driver is None:
        logger.warning("no NVIDIA driver answers, so GPUs are not read")
        return {}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        indices = driver_indices(driver.gpus(), visible, torch_memory.uuids())
    except DriverError as error:
        logger.warning("the driver does not answer, so GPUs are not read (%s)", error)
        return {}
    return {gpu: indices[gpu] for gpu in chosen if gpu in indices}
