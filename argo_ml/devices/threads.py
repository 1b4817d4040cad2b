"""The CPU threads that PyTorch computes with."""

from __future__ import annotations


def set_threads(n_threads: int) -> None:
    """Compute with ``n_threads`` from now on, in this process."""
    import torch

    torch.set_num_threads(n_threads)
