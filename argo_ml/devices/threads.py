"""The CPU threads that PyTorch computes with."""

from __future__ import annotations

import os

from argo_ml.devices import limits


def set_threads(n_threads: int) -> None:
    """Compute with ``n_threads`` from now on, in this process."""
    import torch

    torch.set_num_threads(n_threads)


def keep_to_quota() -> None:
    """Take no more threads than processors may be busy, where the user sets none.

    PyTorch takes one for each that it may run on, and a container's share of their time makes them
    wait for each other.
    """
    n_cores = limits.n_cores()
    if n_cores < len(limits.processors()) and "OMP_NUM_THREADS" not in os.environ:
        set_threads(n_cores)
