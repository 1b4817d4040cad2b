"""llama.cpp's own server on loopback, as a user may have started it, which tests may kill."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from argo_ml.config import ExperimentSpec
from argo_ml.models import load_model
from builders.engine_servers import process_of, server_of

RELATIVE_TOLERANCE = 2e-3
"""Of log-likelihoods: it keeps keys and values in 16 bits, so that what else is in the batch of a
request shows a digit earlier than in this process."""


@dataclass(frozen=True)
class LlamaServer:
    url: str
    process: psutil.Process


@contextlib.contextmanager
def running(spec: ExperimentSpec) -> Iterator[LlamaServer]:
    """A server of the model that ``spec`` names, which nobody starts again where it dies."""
    model = load_model(spec)
    process = process_of(model)
    try:
        yield LlamaServer(f"{process.url}/v1", server_of(model))
    finally:
        process.close()
