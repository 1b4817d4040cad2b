"""One thread for matrices that are too small for several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS and OpenMP compute with one thread in the block.

    Over the small matrices of fits and bootstraps several threads wait for each other longer than
    they compute.
    """
    # Limits hold for libraries that are loaded when they are set.
    import sklearn.linear_model  # type: ignore[import-untyped]  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        yield
