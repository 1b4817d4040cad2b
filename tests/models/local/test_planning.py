"""`argo-ml plan`: of described machines and of this one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from argo_ml.cli.commands import execute
from argo_ml.config import ModelFields, PlanSpec, build
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models.local.loading import Machine, ModelFiles, make_demand
from argo_ml.models.local.planning import nearest, plan_model, recorded_config
from argo_ml.models.placement.plan import Device

GB = 10**9


def planned(**values: Any) -> Any:
    return plan_model(build(PlanSpec, {"model": "qwen2.5-7b", **values}))


def test_a_described_machine_needs_no_gpu_and_no_weights() -> None:
    plan = planned(devices="12GB, 12GB", gpus="0,1")
    assert [use.limit_bytes for use in plan.plan.uses] == [10 * GB, 11 * GB]
    assert plan.demand.precision == "bfloat16"


@pytest.mark.parametrize(
    ("size", "expected"),
    [("12GB", 12 * GB), ("11.5GiB", 12_348_030_976), ("8000 mb", 8 * GB), ("512MiB", 2**29)],
)
def test_sizes(size: str, expected: int) -> None:
    assert build(PlanSpec, {"devices": size}).devices == (expected,)


@pytest.mark.parametrize("size", ["12", "GB", "12GB,many", "-1GB", "12TB"])
def test_what_is_no_size(size: str) -> None:
    with pytest.raises(ConfigError, match=r"is no size; write 12GB or 11\.5GiB"):
        build(PlanSpec, {"devices": size})


def test_a_gpu_that_the_described_machine_lacks() -> None:
    with pytest.raises(ModelError, match=r"gpus=0,2: GPU 2 is not there; visible: 0,1"):
        planned(devices="12GB,12GB", gpus="0,2")


def test_precision_and_quantisation_are_as_asked() -> None:
    plan = planned(devices="12GB", precision="float16", quantization="4bit")
    assert plan.plan.fits
    assert plan.demand.precision == "float16"
    assert plan.plan.weight_bytes == pytest.approx(5.44 * GB, rel=0.01)


def test_the_command_prints_a_table_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plan", "--model", "qwen2.5-7b", "--devices", "12GB,12GB"]) == 0
    out = capsys.readouterr().out
    assert "7.62 billion parameters, 28 layers, 15.23 GB of weights in bfloat16" in out
    assert "max_memory" not in out
    assert "fits; largest batch" in out


def test_a_model_that_does_not_fit_ends_in_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plan", "--model", "qwen2.5-7b", "--devices", "8GB,8GB"]) == 1
    shown = capsys.readouterr()
    assert "does not fit" in shown.out
    assert shown.err.startswith("error: model=qwen2.5-7b: needs 15.2 GB for its weights")
    assert "quantization=8bit, or quantization=4bit, or 3 GPUs with 8 GB" in shown.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without GPU")
def test_this_machine(tiny_folder: Path) -> None:
    plan = planned(model=str(tiny_folder))
    assert plan.plan.fits
    assert plan.plan.uses == ()
    assert plan.demand.precision == "float32"


def test_the_command_says_what_a_model_takes_of_the_cpu(
    tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["plan", "--model", str(tiny_folder), "--device", "cpu"]) == 0
    assert re.search(r"GB free, of which it takes up to \d\.\d GB\n", capsys.readouterr().out)


def test_a_script_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no weights to place"):
        planned(model=f"scripted:{tmp_path / 'a.json'}", devices="12GB")


def test_gpus_in_words() -> None:
    assert build(ModelFields, {"gpus": "auto"}).gpus == ()
    none = build(ModelFields, {"gpus": "none"})
    assert (none.gpus, none.device) == ((), "cpu")
    with pytest.raises(ConfigError, match="gpus=none: device=cuda needs one"):
        build(ModelFields, {"gpus": "none", "device": "cuda"})


def test_quantising_a_gguf_file_is_refused_by_name(tiny_gguf: Path) -> None:
    with pytest.raises(ModelError, match=r"^quantization=4bit: tiny\.gguf is a GGUF file"):
        planned(model=str(tiny_gguf), quantization="4bit", devices="12GB")


def test_quantization_is_advised_where_it_can_be_alone() -> None:
    config = recorded_config("qwen2.5-7b")
    files, gguf = ModelFiles("m", Path()), ModelFiles("m", Path(), "m.gguf")
    gpus = Machine((Device(0, 24 * GB),), False, True, 24 * GB)
    cpu = Machine((), False, True, 24 * GB)

    def advice(files: ModelFiles, precision: str, quantization: str, machine: Machine) -> str:
        on_gpu = bool(machine.gpus)
        return nearest(make_demand(files, config, precision, quantization, 0, on_gpu), machine)

    assert "quantization=8bit" in advice(files, "float32", "none", gpus)
    assert "quantization=4bit" in advice(files, "bfloat16", "8bit", gpus)
    assert "quantization" not in advice(files, "bfloat16", "4bit", gpus)
    assert "quantization" not in advice(gguf, "float32", "none", gpus)
    assert "quantization" not in advice(files, "bfloat16", "none", cpu)
