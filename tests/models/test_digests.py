from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from pathlib import Path

import pytest

from argo_ml.doctor.leftovers import _HALF_WRITTEN
from argo_ml.models.digests import file_sha256, files_digest, model_files, write_atomically


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    return path


def test_sha256_is_that_of_the_content(weights: Path) -> None:
    assert file_sha256(weights) == hashlib.sha256(b"weights").hexdigest()


def test_digest_depends_on_contents_and_names_and_not_on_the_folder(tmp_path: Path) -> None:
    digests = []
    for folder, name, content in (
        ("a", "m", "1"),
        ("b", "m", "1"),
        ("a", "n", "1"),
        ("b", "m", "2"),
    ):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        digests.append(files_digest([path], tmp_path / f"memo-{len(digests)}.json"))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_known_file_is_not_read_again(weights: Path, tmp_path: Path) -> None:
    memo = tmp_path / "memo.json"
    files_digest([weights], memo)
    [stamp] = json.loads(memo.read_text())
    memo.write_text(json.dumps({stamp: "remembered"}))
    expected = hashlib.sha256(b"model.safetensors remembered\n").hexdigest()
    assert files_digest([weights], memo) == expected


def test_a_changed_file_is_read_again(weights: Path, tmp_path: Path) -> None:
    memo = tmp_path / "memo.json"
    before = files_digest([weights], memo)
    weights.write_bytes(b"Weights")
    os.utime(weights, ns=(1, 1))
    assert files_digest([weights], memo) != before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_memo_is_begun_anew(weights: Path, tmp_path: Path, content: bytes) -> None:
    memo = tmp_path / "memo.json"
    expected = files_digest([weights], memo)
    memo.write_bytes(content)
    assert files_digest([weights], memo) == expected
    assert len(json.loads(memo.read_text())) == 1


def test_a_memo_that_cannot_be_written_is_only_reported(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        digest = files_digest([weights], weights / "memo.json")
    assert digest == files_digest([weights], tmp_path / "memo.json")
    assert "cannot be written" in caplog.text


def test_model_files_leave_out_what_does_not_change_a_model(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "README.md", "chat_template.jinja"):
        (tmp_path / name).write_text("")
    (tmp_path / "onnx.json").mkdir()
    names = sorted(path.name for path in model_files(tmp_path))
    assert names == ["chat_template.jinja", "config.json", "model.safetensors"]


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "file", "text")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_writing_that_ends_early_leaves_neither_a_half_nor_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("before")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "file", "half of a pair: \ud800")
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", "after")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_what_is_written_may_be_read_as_any_new_file_or_as_what_it_replaces(
    tmp_path: Path,
) -> None:
    (tmp_path / "plain").write_text("")
    (tmp_path / "shared").write_text("")
    (tmp_path / "shared").chmod(0o664)
    for name in ("new", "shared"):
        write_atomically(tmp_path / name, "text")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"plain": modes["plain"], "new": modes["plain"], "shared": 0o664}


def test_a_half_that_a_kill_leaves_is_known_to_repairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves: list[str] = []
    monkeypatch.setattr(Path, "replace", lambda half, _: halves.append(half.name))
    write_atomically(tmp_path / "file", "text")
    assert _HALF_WRITTEN.fullmatch(halves[0])
