"""Where the time of a sweep goes."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from argo_ml.models.base import Completion, Generation, Scores, Scoring
from argo_ml.types import Component

RETRIEVE = "retrieve"
LOG = "log"
IDLE = "idle"
OF_COMPONENT = {
    Component.DECOMPOSER: "decompose",
    Component.READER: "read",
    Component.REASONER: "reason",
    Component.SYNTHESIZER: "synthesize",
    Component.PROBE: "probe",
}
STAGES = (*OF_COMPONENT.values(), RETRIEVE, LOG, IDLE)


class StageTimes:
    """Wall-clock seconds by stage; what no stage took is `IDLE`: the engine itself, and waiting."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self.executed: defaultdict[Component, float] = defaultdict(float)
        """Calls by component that were executed since this was made, by the time they took: of
        those that a cache has served, none."""

    @contextlib.contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - started

    def share_out(
        self,
        seconds: float,
        requests: Sequence[Generation | Scoring],
        responses: Sequence[Completion | Scores],
    ) -> None:
        """Split the time of one call of the model among those who asked, by their own times."""
        total = sum(response.seconds for response in responses)
        for request, response in zip(requests, responses, strict=True):
            share = response.seconds / total if total else 1 / len(responses)
            stage = OF_COMPONENT[request.component] if request.component else IDLE
            self._seconds[stage] += share * seconds
            if request.component:
                self.executed[request.component] += min(1.0, seconds / total) if total else 1.0

    def add(self, seconds: Mapping[str, float]) -> None:
        """Time that stages took elsewhere; what was idle there is not idle here."""
        for stage, value in seconds.items():
            if stage != IDLE:
                self._seconds[stage] += value

    def seconds(self) -> dict[str, float]:
        """Seconds of every stage until now; they add up to the time since this was made."""
        seconds = {stage: self._seconds[stage] for stage in STAGES}
        seconds[IDLE] = max(0.0, time.perf_counter() - self._started - sum(seconds.values()))
        return seconds
