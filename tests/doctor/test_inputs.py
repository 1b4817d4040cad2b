"""What is looked at before a sweep, within seconds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import small_study
from huggingface_hub import constants

from argo_ml.cli.commands import execute
from argo_ml.config import DoctorSpec
from argo_ml.devices import Gpu, disk
from argo_ml.devices.base import GB
from argo_ml.doctor import Check, Status, inputs
from argo_ml.doctor.inputs import (
    check_embedder_files,
    check_questions,
    check_wanted_gpus,
    check_weights,
    input_checks,
)
from argo_ml.doctor.parts import check_embedder, check_model
from argo_ml.models import precision
from argo_ml.models.local import hub


def status(spec: DoctorSpec) -> dict[str, Status]:
    return {check.name: check.status for check in input_checks(spec)}


def spec(**values: Any) -> DoctorSpec:
    return DoctorSpec(**values)


def test_everything_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    wanted = spec(
        dataset="oran_bench",
        embedding_model="org/embedder",
        model="qwen2.5-7b",
        gpus="90",
        cache_dir=tmp_path,
    )

    failed = [check for check in input_checks(wanted) if check.status is Status.ERROR]

    assert [check.name for check in failed] == [
        "questions",
        "documents",
        "embedder",
        "model",
        "GPUs",
    ]
    assert [check.name for check in failed if not check.fix] == []


def test_sweep_whose_sources_are_there_passes(tmp_path: Path) -> None:
    sources = small_study.write(tmp_path)

    found = status(spec(**sources, cache_dir=tmp_path))

    assert {found[name] for name in ("questions", "documents", "model", "GPUs")} == {Status.OK}


def test_questions_that_would_not_be_asked_are_an_error(tmp_path: Path) -> None:
    sources = {**small_study.write(tmp_path), "dataset": "atlas"}

    check = check_questions(spec(**sources, cache_dir=tmp_path))

    assert (check.status, check.fix) == (
        Status.ERROR,
        "add dataset=jsonl, or leave questions out",
    )


def test_questions_of_which_the_beginning_alone_is_read_are_told(tmp_path: Path) -> None:
    sources = small_study.write(tmp_path)
    small_study.lengthen(sources, "Ardenia-capital")

    check = check_questions(spec(**sources, cache_dir=tmp_path))

    assert check.status is Status.WARNING
    assert "; 1 of 8 questions are longer than the 256 tokens" in check.detail
    assert check.fix == "retriever=bm25 reads all of them"


@pytest.mark.parametrize("missing", [{"retriever": "bm52"}, {"reranker": "nowhere"}])
def test_a_retriever_that_is_not_there_is_an_error(tmp_path: Path, missing: dict[str, str]) -> None:
    sources = small_study.write(tmp_path)
    checks = {check.name: check for check in input_checks(spec(**sources, **missing))}
    assert checks["documents"].status is Status.ERROR
    assert next(iter(missing.values())) in checks["documents"].detail


def test_a_script_may_lie_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "table.json").write_text('{"default": "hash"}')

    wanted = spec(model="scripted:~/table.json", quick=True)

    assert check_weights(wanted).status is Status.OK
    assert check_model(wanted).status is Status.OK


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("look", [check_weights, check_model, check_embedder_files, check_embedder])
def test_model_of_the_hub_is_an_error_where_the_hub_does_not_answer(
    look: Callable[[DoctorSpec], Check], monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(inputs, "hub_answers", lambda: answers)
    name = "someone/no-such-model"

    check = look(spec(model=name, embedding_model=name, quick=True))

    assert check.status is (Status.WARNING if answers else Status.ERROR)


@pytest.mark.parametrize(("free_gb", "wanted"), [(20, Status.WARNING), (10, Status.ERROR)])
def test_weights_to_download_need_room_where_the_hub_keeps_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_gb: int, wanted: Status
) -> None:
    monkeypatch.setattr(inputs, "hub_answers", lambda: True)
    monkeypatch.setattr(hub, "bytes_to_download", lambda *asked: 15 * GB)
    monkeypatch.setattr(disk, "free_bytes", lambda place: free_gb * GB)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    check = check_weights(spec(model="org/name"))

    assert check.status is wanted
    assert f"15.0 GB go to {tmp_path}" in check.detail
    assert ("HF_HOME" in check.fix) is (wanted is Status.ERROR)


def cached(folder: Path, *names: str) -> None:
    """A model in the hub's cache, as far as it was downloaded."""
    model = folder / "models--org--name"
    snapshot = model / "snapshots" / "0123"
    for path in (model / "refs" / "main", *(snapshot / name for name in names)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0123")


@pytest.mark.parametrize(
    ("names", "is_here"),
    [
        (("config.json", "modules.json"), False),
        (("config.json", "modules.json", "model.safetensors"), True),
    ],
)
def test_a_model_is_here_once_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], is_here: bool
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(inputs, "hub_answers", lambda: False)
    cached(tmp_path, *names)
    wanted = spec(model="org/name", embedding_model="org/name", quick=True)

    looks = (check_weights, check_model, check_embedder_files, check_embedder)
    checks = [look(wanted) for look in looks]

    assert [check.status is Status.OK for check in checks] == [is_here] * 4


def test_gpus_are_those_of_the_driver() -> None:
    gpus = (Gpu(0, "GPU-1", "RTX 3060"), Gpu(1, "GPU-2", "RTX 3060"))

    assert check_wanted_gpus(spec(gpus="0,1"), gpus).status is Status.OK
    absent = check_wanted_gpus(spec(gpus="0,1"), gpus[:1])
    assert (absent.status, absent.detail) == (
        Status.ERROR,
        "gpus=0,1: GPU 1 is not there; visible: 0",
    )


@pytest.mark.parametrize(
    ("visible", "gpus", "status", "detail"),
    [
        ("3", "0", Status.OK, "D"),
        ("3,1", "1,0", Status.OK, "B, D"),
        ("GPU-c", "auto", Status.OK, "C"),
        ("MIG-1", "0", Status.OK, "a part of a GPU"),
        ("3", "0,1", Status.ERROR, "gpus=0,1: GPU 1 is not there; visible: 0"),
        ("", "0", Status.ERROR, "gpus=0: no CUDA GPU is visible here, only the CPU"),
    ],
)
def test_gpus_are_those_that_a_run_would_see(
    monkeypatch: pytest.MonkeyPatch, visible: str, gpus: str, status: Status, detail: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    machine = tuple(Gpu(index, f"GPU-{name.lower()}", name) for index, name in enumerate("ABCD"))

    check = check_wanted_gpus(spec(gpus=gpus), machine)

    assert (check.status, check.detail) == (status, detail)


def test_a_place_that_cannot_be_looked_at_ends_no_check(tmp_path: Path) -> None:
    sources = small_study.write(tmp_path)

    found = status(spec(**{**sources, "model": "smollm2-135m"}, cache_dir=Path("x" * 300)))

    assert found["disk"] is Status.ERROR
    assert found["questions"] is Status.OK
    assert found["model"] is Status.ERROR


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (("--gpus", "0,1"), "error    GPUs: gpus=0,1: "),
        (("--model", "sever:NAME"), "error    model: model='sever:NAME' is unknown"),
    ],
)
def test_what_is_missing_keeps_nothing_else_from_being_looked_at(
    missing: tuple[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert execute(["doctor", "--only_inputs", "true", "--cache_dir", str(tmp_path), *missing]) == 1

    out = capsys.readouterr().out
    assert said in out
    assert [name for name in ("questions", "documents", "disk") if f" {name}: " not in out] == []


@pytest.mark.slow
def test_inputs_are_looked_at_without_heavy_imports() -> None:
    code = (
        "import sys; from argo_ml.cli.commands import execute; "
        "execute(['doctor', '--only_inputs', 'true']); "
        "print([name for name in ('torch', 'mlflow', 'chromadb') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
