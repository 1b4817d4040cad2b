"""The CPU threads that PyTorch computes with."""

from __future__ import annotations

import os

from argo_ml.devices import limits


def use_threads(n_threads: int | None) -> None:
    """Compute with ``n_threads`` from now on, in this process.

    Where the user sets none, no more are taken than processors may be busy: PyTorch takes one for
    each that it may run on, and a container's share of their time makes them wait for each other.
    """
    n_cores = limits.n_cores()
    if n_threads is not None:
        set_threads(n_threads)
    elif n_cores < len(limits.processors()) and "OMP_NUM_THREADS" not in os.environ:
        set_threads(n_cores)


def set_threads(n_threads: int) -> None:
    import torch

    torch.set_num_threads(n_threads)
