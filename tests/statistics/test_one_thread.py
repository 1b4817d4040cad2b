from __future__ import annotations

from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from argo_ml.statistics.one_thread import one_thread


def test_libraries_for_matrices_compute_on_one_thread_in_the_block() -> None:
    with one_thread():
        inside = {library["num_threads"] for library in threadpool_info()}

    assert inside == {1}
