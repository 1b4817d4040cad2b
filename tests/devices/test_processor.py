from __future__ import annotations

import pytest

from argo_ml.devices import processor
from argo_ml.devices.processor import multiplies_bfloat16


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags : fma avx2 avx512f avx512_bf16 amx_bf16 amx_tile", True),
        ("flags : fma avx2 avx512f avx512_bf16", False),
        ("Features : fp asimd bf16", False),
        ("", False),
    ],
)
def test_tiles_for_bfloat16_are_what_counts(
    monkeypatch: pytest.MonkeyPatch, flags: str, expected: bool
) -> None:
    monkeypatch.setattr(processor, "instructions", lambda: flags)
    assert multiplies_bfloat16({}) is expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("", True), ("all", True), ("AVX512_CORE_AMX", True), ("AVX512_CORE_FP16", False)],
)
def test_a_limit_that_the_user_set_for_the_library_counts(
    monkeypatch: pytest.MonkeyPatch, limit: str, expected: bool
) -> None:
    monkeypatch.setattr(processor, "instructions", lambda: "flags : amx_bf16")
    assert multiplies_bfloat16({"ONEDNN_MAX_CPU_ISA": limit}) is expected
