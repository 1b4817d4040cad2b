"""Memory and processors that a container leaves, from files as Linux writes them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from argo_ml.devices import limits, threads

MIB = 2**20
MACHINE = SimpleNamespace(available=8_000 * MIB, total=16_000 * MIB)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixteen processors and no groups."""
    monkeypatch.setattr(limits, "ROOT", tmp_path / "fs")
    monkeypatch.setattr(limits, "OWN_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: MACHINE)
    monkeypatch.setattr(limits, "processors", lambda: range(16))
    return tmp_path


def write(folder: Path, own: str, files: dict[str, str]) -> None:
    (folder / "cgroup").write_text(own)
    for name, text in files.items():
        path = folder / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


STATISTICS = f"anon {900 * MIB}\ninactive_file {70 * MIB}\nactive_file {30 * MIB}"
CONTAINER = (
    "0::/\n",
    {
        "memory.max": f"{4_000 * MIB}",
        "memory.current": f"{1_000 * MIB}",
        "memory.stat": STATISTICS,
        "cpu.max": "250000 100000",
    },
)
BATCH_JOB = (
    "0::/slurm/job_7/step_0\n",
    {
        "slurm/job_7/memory.max": f"{4_000 * MIB}",
        "slurm/job_7/memory.current": f"{1_000 * MIB}",
        "slurm/job_7/memory.stat": STATISTICS,
        "slurm/job_7/cpu.max": "300000 100000",
        "slurm/job_7/step_0/memory.max": "max",
        "slurm/job_7/step_0/memory.current": f"{900 * MIB}",
        "slurm/job_7/step_0/cpu.max": "max 100000",
    },
)
VERSION_1 = (
    # The path is the machine's, the files are the container's own.
    "9:name=systemd:/docker/ab\n4:memory:/docker/ab\n2:cpu,cpuacct:/docker/ab\n0::/\n",
    {
        "memory/memory.limit_in_bytes": f"{4_000 * MIB}",
        "memory/memory.usage_in_bytes": f"{1_000 * MIB}",
        "memory/memory.stat": STATISTICS.replace("\n", "\ntotal_"),
        "cpu/cpu.cfs_quota_us": "250000",
        "cpu/cpu.cfs_period_us": "100000",
    },
)
UNLIMITED = (
    "4:memory:/\n1:cpu:/\n0::/user.slice\n",
    {
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/memory.usage_in_bytes": f"{1_000 * MIB}",
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
        "user.slice/memory.max": "max",
    },
)


@pytest.mark.parametrize("files", [CONTAINER, BATCH_JOB, VERSION_1])
def test_a_group_leaves_less_than_the_machine_has(
    machine: Path, files: tuple[str, dict[str, str]]
) -> None:
    write(machine, *files)
    assert limits.total_bytes() == 4_000 * MIB
    assert limits.available_bytes() == 3_100 * MIB
    assert limits.n_cores() == 3


@pytest.mark.parametrize("files", [UNLIMITED, ("0::/\n", {}), None])
def test_the_machine_is_all_there_without_limits(
    machine: Path, files: tuple[str, dict[str, str]] | None
) -> None:
    if files is not None:
        write(machine, *files)
    assert limits.total_bytes() == MACHINE.total
    assert limits.available_bytes() == MACHINE.available
    assert limits.n_cores() == 16


def test_a_limit_that_is_exceeded_leaves_nothing(machine: Path) -> None:
    write(machine, "0::/\n", {"memory.max": "1000", "memory.current": "2000"})
    assert limits.available_bytes() == 0


def test_a_share_of_one_processor_is_one(machine: Path) -> None:
    write(machine, "0::/\n", {"cpu.max": "20000 100000"})
    assert limits.n_cores() == 1


@pytest.mark.parametrize(
    ("quota", "given", "wished", "set_to"),
    [
        ("200000 100000", None, None, [2]),
        ("200000 100000", "8", None, []),
        ("max 100000", None, None, []),
        ("200000 100000", "8", 5, [5]),
    ],
)
def test_threads_are_as_many_as_may_be_busy_unless_others_are_wished(
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    quota: str,
    given: str | None,
    wished: int | None,
    set_to: list[int],
) -> None:
    write(machine, "0::/\n", {"cpu.max": quota})
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    made: list[int] = []
    monkeypatch.setattr(threads, "set_threads", made.append)
    threads.use_threads(wished)
    assert made == set_to
