"""Settings of other libraries that their users read from the environment."""

from __future__ import annotations

import os

ENVIRONMENT = {
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Set where the user has not: numbers GPUs as nvidia-smi does, lets batches of different size use
the same memory of a GPU, and silences what nobody can act on."""
_OLDER = {"PYTORCH_ALLOC_CONF": "PYTORCH_CUDA_ALLOC_CONF"}
"""What a setting was called before, and may have been set as."""


OWN = "ARGO_ML_LIBRARY_DEFAULTS"
"""Names what was set here, also to the processes that inherit it."""


def set_library_defaults() -> None:
    own = [name for name in ENVIRONMENT if is_own(name)]
    for name, value in ENVIRONMENT.items():
        if not {name, _OLDER.get(name, name)} & os.environ.keys():
            os.environ[name] = value
            own.append(name)
    os.environ[OWN] = ",".join(own)


def is_own(name: str) -> bool:
    """Whether a variable has its value from here, and not from the user."""
    is_named = name in os.environ.get(OWN, "").split(",")
    return is_named and os.environ.get(name) == ENVIRONMENT[name]
