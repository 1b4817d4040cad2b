from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from argo_ml.config import DoctorSpec
from argo_ml.corpus.sqlite_version import sqlite_problem
from argo_ml.devices import DeviceReading, DriverError, Gpu, Holder
from argo_ml.doctor import Status, inputs, services
from argo_ml.doctor.check import refused
from argo_ml.doctor.checks import checks
from argo_ml.doctor.disk_space import check_disk
from argo_ml.doctor.gpus import check_gpus, list_gpus, process_name
from argo_ml.doctor.machine import check_packages, check_python, judge_device
from argo_ml.doctor.parts import check_embedder, check_index_folder, check_model
from argo_ml.doctor.services import check_chroma, check_tracking
from argo_ml.errors import ArgoError
from argo_ml.models.local import hub

GB = 10**9
RTX_3060 = Gpu(0, "GPU-6a", "NVIDIA GeForce RTX 3060", 12 * GB, 11 * GB)


@pytest.fixture(scope="module")
def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def spec(**values: Any) -> DoctorSpec:
    return DoctorSpec(**values)


@pytest.mark.slow
def test_embedded_default_passes_on_this_machine(embedded_model: Path, tracking_uri: str) -> None:
    results = list(checks(spec(tracking_uri=tracking_uri, quick=True)))

    assert [check.name for check in results if not check.name.startswith("GPU")] == [
        "Python",
        "packages",
        "disk",
        "index folder",
        "questions",
        "documents",
        "tracking",
        "runs",
        "journals",
        "leftovers",
        "device",
        "Chroma",
        "embedder",
        "model",
    ]
    assert [check for check in results if check.status is Status.ERROR] == []


@pytest.mark.slow
def test_no_part_keeps_the_others_from_being_looked_at() -> None:
    results = list(checks(spec(tracking_uri="sqlite:mlflow.db", cache_dir=Path("x" * 300))))

    failed = [check.name for check in results if check.status is Status.ERROR]
    assert {"disk", "index folder", "tracking", "runs", "model"} <= set(failed)
    assert results[-1].name == "model"


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 15, 0)])
def test_a_python_that_packages_have_no_releases_for_is_an_error(version: tuple[int, ...]) -> None:
    check = check_python(version)

    assert check.status is Status.ERROR
    assert check.fix == "use Python 3.10 to 3.14"


def test_an_sqlite_that_chroma_refuses_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = sqlite_problem("3.34.1")
    monkeypatch.setattr(services, "sqlite_problem", lambda: problem)

    check = check_chroma(spec())

    assert check.status is Status.ERROR
    assert check.detail == "Python's SQLite is 3.34.1, Chroma needs 3.35 or newer"
    assert "conda" in check.fix
    assert not sqlite_problem("3.35.0")


def test_package_out_of_range_is_an_error_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path, ["numpy<1", "nosuchpackage>=2", "other>1; extra == 'test'"])
    monkeypatch.syspath_prepend(str(tmp_path))

    numpy, missing = check_packages("toy")

    assert numpy.status is Status.ERROR
    assert numpy.name == "package numpy"
    assert numpy.fix == "pip install 'numpy<1'"
    assert missing.detail == "not installed"
    assert missing.fix == "pip install 'nosuchpackage>=2'"


def write_distribution(folder: Path, requirements: list[str]) -> None:
    info = folder / "toy-1.0.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: toy", "Version: 1.0"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requirements]
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_packages_of_what_is_not_installed_are_a_warning() -> None:
    [check] = check_packages("nosuchdistribution")

    assert check.status is Status.WARNING
    assert "pip install -e ." in check.fix


@pytest.mark.parametrize(
    ("mode", "free_gb", "status"),
    [
        ("small", 0.9, Status.ERROR),
        ("small", 1.5, Status.WARNING),
        ("small", 2.5, Status.OK),
        ("medium", 9.0, Status.ERROR),
        ("full", 9.9, Status.ERROR),
        ("full", 11.0, Status.OK),
    ],
)
def test_disk_space_needed_depends_on_the_mode(mode: str, free_gb: float, status: Status) -> None:
    check = check_disk(spec(mode=mode), int(free_gb * GB))

    assert check.status is status
    assert f"{free_gb:.1f} GB free" in check.detail


def test_folder_that_does_not_exist_yet_has_the_space_of_its_parent(tmp_path: Path) -> None:
    check = check_disk(spec(cache_dir=tmp_path / "a" / "b"))

    assert str(tmp_path) in check.detail
    assert not (tmp_path / "a").exists()


def test_gpus_are_named_with_their_free_memory() -> None:
    check = judge_device(spec(gpus="0,1"), [RTX_3060, RTX_3060], 2, 30 * GB, 8)

    assert check.status is Status.OK
    assert "GPU 0, 1" in check.detail
    assert "NVIDIA GeForce RTX 3060, 11.0 GB free" in check.detail


def test_gpu_that_pytorch_cannot_use_is_a_warning() -> None:
    check = judge_device(spec(), [RTX_3060], 0, 30 * GB, 8)

    assert check.status is Status.WARNING
    assert "PyTorch with CUDA" in check.fix


def test_gpu_that_is_not_there_is_an_error() -> None:
    check = judge_device(spec(device="cuda"), [], 0, 30 * GB, 8)

    assert check.status is Status.ERROR
    assert "use device=cpu" in f"{check.detail} {check.fix}"


def test_little_memory_is_a_warning() -> None:
    check = judge_device(spec(), [], 0, int(1.2 * GB), 2)

    assert check.status is Status.WARNING
    assert "1.2 GB of memory available" in check.detail


class RecordedDriver:
    """One GPU and what was recorded of it; an error is raised instead of an answer."""

    def __init__(self, *holders: Holder, error: DriverError | None = None) -> None:
        self._holders = holders
        self._error = error

    def gpus(self) -> tuple[Gpu, ...]:
        if self._error is not None:
            raise self._error
        return (RTX_3060,)

    def read(self, index: int) -> DeviceReading:
        return DeviceReading(index)

    def holders(self, index: int) -> tuple[Holder, ...]:
        return self._holders


def test_processes_that_hold_memory_of_a_gpu_are_listed() -> None:
    names = {7: "python", 8: "Xorg", 9: "another user's process"}
    driver = RecordedDriver(Holder(8, None), Holder(9, 100.4), Holder(7, 800))

    [check] = check_gpus(driver, names.__getitem__)

    assert (check.name, check.status) == ("GPU 0", Status.OK)
    assert check.detail == (
        "NVIDIA GeForce RTX 3060, 1.0 of 12.0 GB in use: python (pid 7) 800 MB, "
        "another user's process (pid 9) 100 MB, Xorg (pid 8) memory unknown"
    )


def test_gpu_that_nobody_holds_says_so() -> None:
    [check] = check_gpus(RecordedDriver())

    assert "by no process that the driver shows" in check.detail


def test_process_that_cannot_be_looked_at_is_anothers() -> None:
    no_process = 2**22 + 1

    assert process_name(no_process) == "another user's process"
    assert process_name(os.getpid()) != "another user's process"


def test_driver_that_does_not_answer_is_an_error() -> None:
    driver = RecordedDriver(error=DriverError("GPU is lost"))

    [check] = check_gpus(driver)

    assert check.status is Status.ERROR
    assert "GPU is lost" in check.detail
    assert list_gpus(driver) == ()


def test_without_a_driver_no_gpu_is_listed() -> None:
    assert list(check_gpus(None)) == []
    assert list_gpus(None) == ()


def test_model_that_was_not_fetched_is_an_error(tmp_path: Path) -> None:
    check = check_model(spec(cache_dir=tmp_path))

    assert check.status is Status.ERROR
    assert check.fix == "run argo-ml fetch"


def test_unknown_model_is_an_error(tmp_path: Path) -> None:
    check = check_model(spec(model="gpt7", cache_dir=tmp_path))

    assert check.status is Status.ERROR
    assert "model='gpt7' is unknown" in check.detail


def test_scripted_model_without_its_file_is_an_error(tmp_path: Path) -> None:
    check = check_model(spec(model=f"scripted:{tmp_path / 'none.json'}"))

    assert check.status is Status.ERROR
    assert "no such file" in check.detail


def test_hub_model_that_is_not_here_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "hub_answers", lambda: True)

    check = check_model(spec(model="nobody-has-this/model-of-a-test", quick=True))

    assert check.status is Status.WARNING
    assert "the first run downloads it" in check.fix


def test_hub_model_whose_weights_are_not_here_is_not_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub_model = hub.HubModel("org/model-of-a-test", "", weights=("model.safetensors",))
    monkeypatch.setattr(hub, "find", lambda model_id, revision: hub_model)

    check = check_model(spec(model="org/model-of-a-test"))

    assert check.status is Status.WARNING
    assert "is on the hub, not on this machine" in check.detail


def test_folder_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    check = check_model(spec(model=str(tmp_path)))

    assert check.status is Status.ERROR
    assert "no config.json" in check.detail


def test_embedded_embedder_loads() -> None:
    check = check_embedder(spec())

    assert check.status is Status.OK
    assert "384 dimensions" in check.detail


def test_unknown_embedder_is_an_error() -> None:
    check = check_embedder(spec(embedding_model="nosuchembedder"))

    assert check.status is Status.ERROR
    assert "nosuchembedder" in check.detail


def test_hub_embedder_that_is_not_here_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "hub_answers", lambda: True)

    check = check_embedder(spec(embedding_model="nobody-has-this/embedder-of-a-test"))

    assert check.status is Status.WARNING


def test_cache_folder_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    check = check_index_folder(spec(cache_dir=tmp_path / "file" / "cache"))

    assert check.status is Status.ERROR
    assert check.fix == "choose another cache_dir"


def test_chroma_server_that_is_not_there_is_an_error(closed_port: int) -> None:
    check = check_chroma(spec(chroma_url=f"http://127.0.0.1:{closed_port}"))

    assert check.status is Status.ERROR
    assert "chroma run --path" in check.fix


def test_tracking_store_that_is_there_is_read(tracking_uri: str) -> None:
    check = check_tracking(spec(tracking_uri=tracking_uri))

    assert check.status is Status.OK
    assert "1 experiments" in check.detail


def test_tracking_store_that_is_not_there_yet_is_fine_and_not_created(tmp_path: Path) -> None:
    check = check_tracking(spec(tracking_uri=f"sqlite:///{tmp_path / 'new.db'}"))

    assert check.status is Status.OK
    assert "will be created" in check.detail
    assert list(tmp_path.iterdir()) == []


def test_tracking_server_that_is_not_there_is_an_error(closed_port: int) -> None:
    check = check_tracking(spec(tracking_uri=f"http://127.0.0.1:{closed_port}"))

    assert check.status is Status.ERROR
    assert "mlflow server" in check.fix


def test_error_is_split_into_what_happened_and_what_to_do() -> None:
    check_result = refused("model", ArgoError("model=x: missing; run argo-ml fetch"))

    assert (check_result.detail, check_result.fix) == ("model=x: missing", "run argo-ml fetch")


def test_error_of_one_part_stays_whole() -> None:
    check_result = refused("model", ArgoError("model=x: missing"))

    assert (check_result.detail, check_result.fix) == ("model=x: missing", "")
