"""Takes readings in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

import psutil

from argo_ml.devices.base import MB, DeviceReading, Driver, DriverError, ProcessReading, Reading
from argo_ml.devices.usage import Readings

INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


class Recorder:
    """Reads this process and GPUs while it is entered, first at the start and last at the end.

    ``indices`` are the driver's. A driver that stops answering is asked no more, which is logged.
    """

    def __init__(
        self, driver: Driver | None, indices: Iterable[int] = (), interval_s: float = INTERVAL_S
    ) -> None:
        self._driver = driver
        self._indices = tuple(indices)
        self._interval_s = interval_s
        self._process = psutil.Process()
        self.readings = Readings()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="argo-readings", daemon=True)

    def __enter__(self) -> Recorder:
        try:
            self._thread.start()
        except BaseException:
            self._stop.set()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._take()
        while not self._stop.wait(self._interval_s):
            self._take()
        self._take()

    def _take(self) -> None:
        used = self._process.cpu_times()
        process = ProcessReading(used.user + used.system, self._process.memory_info().rss / MB)
        self.readings.add(Reading(time.monotonic(), process, self._devices()))

    def _devices(self) -> tuple[DeviceReading, ...]:
        if self._driver is None:
            return ()
        try:
            return tuple(self._driver.read(index) for index in self._indices)
        except DriverError as error:
            logger.warning("the driver stopped answering, GPUs are read no more (%s)", error)
            self._indices = ()
            return ()
