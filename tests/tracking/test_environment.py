"""What a run keeps of the code that it was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from argo_ml.tracking import environment


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of this project's own, with a commit."""
    monkeypatch.setattr(environment, "_ROOT", tmp_path)
    (tmp_path / "MLproject").write_text("name: argo_ml\n")
    me = ("-c", "user.name=me", "-c", "user.email=me@corp")
    for arguments in (("init", "-q"), ("add", "MLproject"), (*me, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    return tmp_path


def test_a_change_in_another_encoding_is_kept_as_far_as_it_can_be_read(repository: Path) -> None:
    (repository / "notes.txt").write_bytes("café au lait\n".encode("latin-1"))
    subprocess.run(["git", "-C", str(repository), "add", "notes.txt"], check=True)

    assert "+caf\N{REPLACEMENT CHARACTER} au lait" in environment.uncommitted_diff()
