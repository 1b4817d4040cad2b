"""llama.cpp's own server out of the wheel `xllamacpp`, in a process of its own.

``python llamacpp_server.py SETTINGS``, a JSON object of `LlamaServerSettings`. Run as a file, so
that nothing else is imported; it serves until it is killed.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
from typing import Any

RESERVE_BYTES = 2**30
"""Kept free beside weights and keys and values, for what is computed."""
SHARE_OF_MEMORY = 0.5
"""Of a CPU's free memory: others compute there as well."""
ALL_LAYERS = 999


def serve(settings: dict[str, Any]) -> None:
    xllamacpp: Any = importlib.import_module("xllamacpp")
    gpus = [device for device in xllamacpp.get_device_info() if _is_gpu(device)]
    used = gpus if settings["use_gpus"] else []
    free = sum(device["memory_free"] for device in used) if used else settings["free_bytes"]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = settings["path"]
    parameters.model_alias = settings["name"]
    parameters.port = settings["port"]
    parameters.n_parallel = n_slots(settings, int(free if used else free * SHARE_OF_MEMORY))
    parameters.n_ctx = settings["context"] * parameters.n_parallel
    parameters.kv_unified = False
    parameters.n_gpu_layers = ALL_LAYERS if used else 0
    parameters.cpuparams.n_threads = settings["threads"]
    parameters.cpuparams_batch.n_threads = settings["threads"]
    parameters.verbosity = 0
    parameters.warmup = False
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    assert server.listening_address
    threading.Event().wait()


def n_slots(settings: dict[str, Any], free_bytes: int) -> int:
    """How many prompts of the whole context have room at once; at least one."""
    room = free_bytes - settings["weight_bytes"] - RESERVE_BYTES
    slot = max(1, settings["context"] * settings["bytes_per_token"])
    return int(max(1, min(settings["most_slots"], room // slot)))


def _is_gpu(device: dict[str, Any]) -> bool:
    return "GPU" in str(device["type"])


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
