"""Settings of other libraries that their users read from the environment."""

from __future__ import annotations

import os

ENVIRONMENT = {
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Set where the user has not: numbers GPUs as nvidia-smi does, and silences what nobody can act
on."""


def set_library_defaults() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
