"""A small version of the simulation of promises."""

from __future__ import annotations

from benchmarks.certificates import simulated


def test_promises_are_kept_with_less_slack_than_by_hoeffding() -> None:
    rows = {(row["promise"][:5], row["bound"]): row for row in simulated(60, n=200, level=0.3)}

    for promise in ("share", "error"):
        exact, by_hoeffding = rows[promise, "exact"], rows[promise, "Hoeffding"]
        assert exact["broken"] <= 0.1
        assert exact["used"] > by_hoeffding["used"]
