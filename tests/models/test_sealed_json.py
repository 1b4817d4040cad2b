from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.models.sealed_json import code_digest, content_key, read_sealed, write_sealed


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "kept.json"
    write_sealed(path, {"a": [1, None, "ä"]})
    assert read_sealed(path) == {"a": [1, None, "ä"]}
    assert [file.name for file in path.parent.iterdir()] == ["kept.json"]


@pytest.mark.parametrize("damage", [b"", b"\xff", b"{}", b"12\n[1]"])
def test_what_is_damaged_counts_as_missing(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "kept.json"
    path.write_bytes(damage)
    assert read_sealed(path) is None


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_sealed(path, [1.5, "text"])
    whole = path.read_bytes()
    for place in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert read_sealed(path) is None


def test_a_disk_that_refuses_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    write_sealed(tmp_path / "file" / "kept.json", [1])
    assert read_sealed(tmp_path / "file" / "kept.json") is None


def test_a_key_is_of_the_content_and_not_of_its_order() -> None:
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})


def test_code_that_changes_has_another_digest(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text("x = 1")
    before = code_digest([tmp_path])
    (tmp_path / "part.py").write_text("x = 2")
    assert code_digest([tmp_path]) != before
