from __future__ import annotations

import io
from pathlib import Path

import pytest

from argo_ml.models.local import engine_check
from benchmarks import architectures

pytestmark = pytest.mark.slow


def test_every_architecture_has_a_verdict_and_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, again, names = io.StringIO(), io.StringIO(), ["llama", "mpt", "rwkv", "bert", "xlnet"]
    kept = ["--kept", str(tmp_path / "found.jsonl")]

    assert architectures.main([*names, *kept], out) == 0

    lines = out.getvalue().splitlines()
    assert lines[2:7] == [
        "| fast | 1 | llama |",
        "| fast, beginnings computed anew | 1 | mpt |",
        "| plain | 1 | rwkv |",
        "| refused | 1 | bert |",
        "| not built tiny | 1 | xlnet |",
    ]
    assert [line.split(": ")[0] for line in lines[7:]] == ["mpt", "rwkv", "bert", "xlnet"]
    monkeypatch.setattr(architectures, "examined", None)
    architectures.main([*names, *kept], again)
    assert again.getvalue() == out.getvalue()


def test_what_the_check_at_load_misses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_check, "check_fast_path", lambda *_: engine_check.Problems())
    out = io.StringIO()

    assert architectures.main(["mpt"], out) == 1

    assert "WRONG: " in out.getvalue()
