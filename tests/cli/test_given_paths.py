"""A file or folder that is not there: said at once, and before a store is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.cli.commands import execute


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["sweep", "--dataset", "jsonl", "--questions", "no.jsonl", "--documents", "."],
            "questions=no.jsonl: no such file",
        ),
        (["sweep", "--dataset", "oran_bench", "--questions", "no"], "questions=no: no such file"),
        (["advise", "--documents", "no"], "documents=no: no such folder or file; give a folder of"),
        (["index", "--documents", "no"], "documents=no: no such folder or file; give a folder of"),
        (["replay", "--outcomes", "no.jsonl"], "outcomes=no.jsonl: no such file"),
        (
            ["replay", "--outcomes", ".", "--calibration_outcomes", "no.jsonl"],
            "calibration_outcomes=no.jsonl: no such file",
        ),
        (["sweep", "--model", "./no.gguf"], "model=./no.gguf: no such file or folder"),
    ],
)
def test_what_is_not_there_is_named_and_nothing_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert execute(arguments) != 0

    assert f"error: {message}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_read_is_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARGO_ML_DOCUMENTS", "wiki")

    assert execute(["index", "--retriever", "nobody"]) != 0

    assert "documents=" not in capsys.readouterr().err
