"""Damaged files of an index; those of expanded weights are in tests/models/test_opening.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reliability import derived


@pytest.mark.slow
def test_eight_damaged_indexes_retrieve_what_the_sound_one_does(tmp_path: Path) -> None:
    counts = derived.index_campaign(tmp_path, 8, seed=2)
    assert [row.n_cases for row in counts] == [6, 2]
    assert [row.n_failures for row in counts] == [0, 0], counts
    assert [row.outcomes["refused"] for row in counts] == [0, 0], counts
    assert sum(row.outcomes["built_anew"] for row in counts) >= 4
