"""llama.cpp's own server out of the wheel `xllamacpp`, in a process of its own.

``python llamacpp_server.py SETTINGS``, a JSON object, serves until it is killed;
``python llamacpp_server.py`` prints the GPUs that the wheel can use, as a JSON list of names and
bytes that are free. Run as a file, so that nothing else is imported.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
from typing import Any

ALL_LAYERS = 999
WITHOUT_HOST_CACHE = {"cache_ram_mib": 0, "cache_idle_slots": False}
"""llama.cpp would keep prompts that have left their slots in up to 8 GiB of memory, beside what is
planned for. Not every wheel has these settings."""


def serve(settings: dict[str, Any]) -> None:
    xllamacpp: Any = importlib.import_module("xllamacpp")
    if settings["use_gpus"] and not gpus(xllamacpp):
        # On the CPU its answers would be kept as those of a GPU.
        sys.exit("error: the GPU that was there is gone")
    server = xllamacpp.Server(parameters_of(xllamacpp.CommonParams(), settings))
    assert server.listening_address
    threading.Event().wait()


def parameters_of(parameters: Any, settings: dict[str, Any]) -> Any:
    """The wheel's own ``parameters``, set as a server is to run."""
    parameters.model.path = settings["path"]
    parameters.model_alias = {settings["name"]}
    parameters.port = settings["port"]
    parameters.n_parallel = settings["slots"]
    parameters.n_ctx = settings["context"] * parameters.n_parallel
    parameters.kv_unified = False
    parameters.n_gpu_layers = ALL_LAYERS if settings["use_gpus"] else 0
    parameters.cpuparams.n_threads = settings["threads"]
    parameters.cpuparams_batch.n_threads = settings["threads"]
    parameters.verbosity = 0
    parameters.warmup = False
    parameters.ui = False
    for name, value in WITHOUT_HOST_CACHE.items():
        if hasattr(parameters, name):
            setattr(parameters, name, value)
    return parameters


def gpus(xllamacpp: Any) -> list[tuple[str, int]]:
    """Name and free bytes of every GPU that the wheel can use."""
    devices = [device for device in xllamacpp.get_device_info() if "GPU" in str(device["type"])]
    return [(str(device["name"]), int(device["memory_free"])) for device in devices]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(json.loads(sys.argv[1]))
    else:
        sys.stdout.write(json.dumps(gpus(importlib.import_module("xllamacpp"))) + "\n")
