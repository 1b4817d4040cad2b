from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.devices import disk
from argo_ml.devices.base import GB, MB
from argo_ml.devices.disk import free_bytes, nearest_place, shortage, shortages


@pytest.mark.parametrize("mode", ["medium", "full"])
def test_larger_modes_need_10_gb(mode: str, tmp_path: Path) -> None:
    assert shortage(mode, tmp_path, 10 * GB) == ""
    assert shortage(mode, tmp_path, 9 * GB) == (
        f"9.0 GB free at {tmp_path}; mode={mode} needs 10 GB"
    )


def test_a_disk_with_less_room_than_is_needed_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda path: 300 * MB)
    places = [tmp_path / "cache", tmp_path / "artifacts"]
    assert list(shortages(300 * MB, places)) == []
    assert list(shortages(6_000 * MB, places)) == [
        f"300 MB free at {tmp_path}; the estimate says 6,000 MB"
    ]


def test_folder_that_is_not_there_yet_counts_as_the_one_above(tmp_path: Path) -> None:
    assert nearest_place(tmp_path / "a" / "b") == tmp_path
    assert free_bytes(tmp_path / "a" / "b") > 0
