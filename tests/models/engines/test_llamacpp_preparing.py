"""What llama.cpp's server is started with; a stand-in for its wheel lists GPUs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from argo_ml.config import ExperimentSpec
from argo_ml.devices import limits
from argo_ml.errors import ModelError
from argo_ml.models.digests import files_digest
from argo_ml.models.engines import base, llamacpp, llamacpp_server
from argo_ml.models.engines.base import PreparedServer
from argo_ml.models.engines.gguf_header import GgufShape
from argo_ml.models.engines.llamacpp import ListedGpu, ServedFile, n_slots, n_threads, served_file
from argo_ml.models.presets import resolve

CPU = {"name": "CPU", "memory_free": 2**34, "type": "GGML_BACKEND_DEVICE_TYPE_CPU"}
CUDA = {"name": "CUDA0", "memory_free": 12 * 10**9, "type": "GGML_BACKEND_DEVICE_TYPE_GPU"}
SEVEN_B = ServedFile(
    Path("7b.gguf"), weight_bytes=4_680_000_000, context=4096, bytes_per_token=57344
)
"""Qwen2.5-7B in Q4_K_M."""
EMBEDDED = ServedFile(Path("135m.gguf"), 98_362_432, 4096, 23040)


class Wheel:
    """A package ``xllamacpp`` 1.0 ahead of the real one, here and in what is started from here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        metadata = folder / "xllamacpp-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: xllamacpp\nVersion: 1.0\n")
        self.lists(CPU)

    def lists(self, *devices: dict[str, Any]) -> None:
        code = f"print('ggml: found devices')\ndef get_device_info(): return {list(devices)!r}\n"
        (self.folder / "xllamacpp.py").write_text(code)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    stand_in = Wheel(tmp_path / "wheel")
    monkeypatch.syspath_prepend(stand_in.folder)
    monkeypatch.setenv("PYTHONPATH", str(stand_in.folder))
    return stand_in


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (base, llamacpp):
        monkeypatch.setattr(module, "count_visible_gpus", lambda: 2)


def spec(model: Path, **values: object) -> ExperimentSpec:
    cache = str(model.parent / "cache")
    given = {"model": str(model), "engine": "llamacpp", "cache_dir": cache, **values}
    return ExperimentSpec.model_validate(given)


def prepared(model: Path, **values: object) -> PreparedServer:
    asked = spec(model, **values)
    source = resolve(asked.model, asked.cache_path)
    files = llamacpp.find_files(asked, source)
    return llamacpp.prepare(asked, source, files, 16 * 10**9)


def settings(server: PreparedServer) -> dict[str, Any]:
    return dict(json.loads(server.command.arguments[-1]))


@pytest.mark.parametrize("wish", [{"gpus": (0, 1)}, {"device": "cuda"}])
def test_gpus_that_the_wheel_cannot_use_are_refused(
    tiny_gguf: Path, wheel: Wheel, two_gpus: None, wish: dict[str, object]
) -> None:
    named = "gpus=0,1" if "gpus" in wish else "device=cuda"
    with pytest.raises(ModelError, match=f"^engine=llamacpp: {named}: .* its CPU build") as caught:
        prepared(tiny_gguf, **wish)
    assert str(caught.value).endswith("engine=auto, or device=cpu")
    assert "\n" not in str(caught.value)


def test_gpus_that_stay_idle_are_warned_of(
    tiny_gguf: Path, wheel: Wheel, two_gpus: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        server = prepared(tiny_gguf)
    assert settings(server)["use_gpus"] is False
    [message] = caplog.messages
    assert message.startswith("engine=llamacpp: GPUs here: 2, of which none is used: the xllamacpp")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_calls_on_the_cpu_are_known_as_they_always_were(
    tiny_gguf: Path, wheel: Wheel, device: str, caplog: pytest.LogCaptureFixture
) -> None:
    digest = files_digest([tiny_gguf])
    with caplog.at_level(logging.WARNING):
        assert prepared(tiny_gguf, device=device).identity == (
            f"llamacpp sha256:{digest} xllamacpp=1.0"
        )
    assert caplog.messages == []


def known_build(model: Path) -> Sequence[str]:
    asked = spec(model)
    return llamacpp.find_files(asked, resolve(asked.model, asked.cache_path)).versions


def test_another_build_of_the_same_version_is_other_software_with_the_same_calls(
    tiny_gguf: Path, wheel: Wheel
) -> None:
    metadata = wheel.folder / "xllamacpp-1.0.dist-info"
    assert known_build(tiny_gguf) == []
    builds, identities = [], set()
    for digest in ("cpu", "cuda", "cuda"):
        (metadata / "RECORD").write_text(f"xllamacpp/xllamacpp.so,sha256={digest},9")
        builds.append(known_build(tiny_gguf))
        identities.add(prepared(tiny_gguf, device="cpu").identity)
    assert builds[0] != builds[1] == builds[2]
    assert len(identities) == 1
    (metadata / "direct_url.json").write_text('{"dir_info": {"editable": true}}')
    assert known_build(tiny_gguf) == []


def split(whole: Path, folder: Path, rest: bytes = b"weights") -> Path:
    """A model in two parts, of which ``whole`` is the first."""
    first = folder / "big-00001-of-00002.gguf"
    first.write_bytes(whole.read_bytes())
    (folder / "big-00002-of-00002.gguf").write_bytes(rest)
    return first


def test_calls_of_a_split_model_are_known_by_all_its_parts(
    tiny_gguf: Path, tmp_path: Path, wheel: Wheel
) -> None:
    first = split(tiny_gguf, tmp_path)
    before = prepared(first).identity
    assert settings(prepared(first))["path"] == str(first)
    assert prepared(split(tiny_gguf, tmp_path, b"weights of another training")).identity != before
    first.with_name("big-00002-of-00002.gguf").unlink()
    with pytest.raises(ModelError, match=r"one of 2 files, and big-00002-of-00002\.gguf is not"):
        prepared(first)


@pytest.mark.parametrize(
    ("own", "evidence_tokens", "expected"),
    [(32768, 384, 4096), (32768, 3000, 4608), (4300, 3000, 4300), (2048, 384, 2048)],
)
def test_a_slot_has_room_for_reasoning_and_what_the_server_rounds_up_to(
    tiny_gguf: Path,
    wheel: Wheel,
    own: int,
    evidence_tokens: int,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(llamacpp, "read_shape", lambda _: GgufShape(own, bytes_per_token=4))
    # 3,000 of evidence are 4,586 with the prompt's rest, the answer and 1,024 of reasoning.
    server = prepared(tiny_gguf, evidence_tokens=evidence_tokens, max_new_tokens=50)
    assert settings(server)["context"] == expected


def test_a_split_model_is_as_large_as_all_its_parts(tiny_gguf: Path, tmp_path: Path) -> None:
    first = split(tiny_gguf, tmp_path)
    assert served_file(first).weight_bytes == tiny_gguf.stat().st_size + len(b"weights")


def test_calls_on_gpus_are_known_by_what_computes(
    tiny_gguf: Path, wheel: Wheel, two_gpus: None
) -> None:
    wheel.lists(CPU, CUDA, {**CUDA, "name": "CUDA1"})
    server = prepared(tiny_gguf, gpus=(0, 1))
    assert server.identity == f"llamacpp sha256:{files_digest([tiny_gguf])} xllamacpp=1.0 gpus=CUDA"
    assert settings(server)["use_gpus"] is True
    assert server.command.environment == {"CUDA_VISIBLE_DEVICES": "0,1"}
    on_cpu = prepared(tiny_gguf, device="cpu")
    assert settings(on_cpu)["use_gpus"] is False
    assert not on_cpu.identity.endswith("gpus=CUDA")


def test_a_server_whose_gpu_is_gone_does_not_go_on_without(
    wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    with pytest.raises(SystemExit, match="error: the GPU that was there is gone"):
        llamacpp_server.serve({"use_gpus": True})


@pytest.mark.parametrize("known", [{"cache_ram_mib": 8192, "cache_idle_slots": True}, {}])
def test_a_server_keeps_no_prompts_beside_its_slots(known: dict[str, Any]) -> None:
    parts = {name: SimpleNamespace() for name in ("model", "cpuparams", "cpuparams_batch")}
    names = ("path", "name", "port", "slots", "context", "threads", "use_gpus")
    given = llamacpp_server.parameters_of(
        SimpleNamespace(**parts, **known), dict.fromkeys(names, 0)
    )
    kept = {name: getattr(given, name, None) for name in ("cache_ram_mib", "cache_idle_slots")}
    # An older wheel has neither.
    assert list(kept.values()) == ([0, False] if known else [None, None])


def test_requests_under_way_are_as_many_as_slots(tiny_gguf: Path, wheel: Wheel) -> None:
    server = prepared(tiny_gguf, server_concurrency=5)
    assert (settings(server)["slots"], server.n_at_once) == (5, 5)


@pytest.mark.parametrize(
    ("file", "threads", "timeout_s", "expected"),
    [
        (SEVEN_B, 1, 300, 1),
        (SEVEN_B, 7, 300, 3),
        (SEVEN_B, 7, 1200, 14),
        (SEVEN_B, 64, 300, 16),
        (EMBEDDED, 1, 300, 16),
    ],
)
def test_a_cpu_reads_no_more_prompts_at_once_than_it_can_in_time(
    file: ServedFile, threads: int, timeout_s: int, expected: int
) -> None:
    asked = spec(file.path, threads=threads, request_timeout_s=timeout_s)
    assert n_slots(asked, file, [], 64 * 10**9) == expected


def test_slots_have_room_in_what_is_free() -> None:
    asked = spec(SEVEN_B.path, threads=64)
    # Half of it is 8 GB: less weights and 1 GiB, room for 9 contexts of 235 MB.
    assert n_slots(asked, SEVEN_B, [], 16 * 10**9) == 9
    assert n_slots(asked, SEVEN_B, [], 10**9) == 1
    assert n_slots(asked, SEVEN_B, [ListedGpu("CUDA0", 8 * 10**9)], 0) == 9
    assert n_slots(asked, SEVEN_B, [ListedGpu("CUDA0", 24 * 10**9)], 0) == 16


@pytest.mark.parametrize(
    ("share", "given", "expected"),
    [
        ("", None, 7),
        ("2", None, 2),
        ("8", None, 7),
        ("4,2", None, 4),
        ("all", None, 7),
        ("2", 3, 3),
    ],
)
def test_a_worker_computes_with_its_share_of_threads(
    share: str, given: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "n_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", share)
    assert n_threads(given) == expected
