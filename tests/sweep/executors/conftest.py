"""One Ray for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    """Ray with four declared CPUs, so that a test's two workers find room beside a fixture's."""
    module = pytest.importorskip("ray", reason='pip install "argo_ml[ray]"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        module.init(
            address="local",
            num_cpus=4,
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=128 * 2**20,
            logging_level="ERROR",
            log_to_driver=False,
        )
        yield module
        module.shutdown()
