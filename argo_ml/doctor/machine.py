"""Python, packages, devices, memory and disk."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib import metadata

from packaging.requirements import Requirement

from argo_ml.config import DoctorSpec
from argo_ml.devices import Gpu, limits
from argo_ml.devices.base import GB
from argo_ml.devices.choosing import choose_gpus
from argo_ml.devices.cuda import count_gpus
from argo_ml.doctor.check import Check, Status, ok, refused, warning
from argo_ml.errors import ModelError

_PYTHONS = ((3, 10), (3, 15))
"""The oldest that it runs with, and the first that its packages have no releases for."""
_NAMED_PACKAGES = ("mlflow", "torch", "transformers", "sentence-transformers", "chromadb")
_MEMORY_GB = 2
"""What the embedded model, the embedder and Python take together."""


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    text = ".".join(map(str, version))
    oldest, too_new = _PYTHONS
    if not oldest <= version < too_new:
        fix = f"use Python 3.{oldest[1]} to 3.{too_new[1] - 1}"
        return Check("Python", Status.ERROR, text, fix)
    return ok("Python", text)


def check_packages(distribution: str = "argo_ml") -> Iterator[Check]:
    """The installed versions against what the distribution itself requires."""
    try:
        requirements = [Requirement(text) for text in metadata.requires(distribution) or ()]
    except metadata.PackageNotFoundError:
        fix = "pip install -e . in the folder of pyproject.toml"
        yield warning("packages", f"{distribution} is not installed, only imported", fix)
        return
    needed = [
        requirement
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    ]
    problems = [problem for requirement in needed if (problem := _unmet(requirement))]
    yield from problems
    if not problems:
        named = [f"{name} {metadata.version(name)}" for name in _NAMED_PACKAGES]
        yield ok("packages", f"all {len(needed)} as required, among them {', '.join(named)}")


def _unmet(requirement: Requirement) -> Check | None:
    name = f"package {requirement.name}"
    fix = f"pip install '{requirement.name}{requirement.specifier}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Check(name, Status.ERROR, "not installed", fix)
    if not requirement.specifier.contains(version, prereleases=True):
        return Check(name, Status.ERROR, f"{version}, needs {requirement.specifier}", fix)
    return None


def check_device(spec: DoctorSpec, gpus: Sequence[Gpu]) -> Check:
    return judge_device(spec, gpus, count_gpus(), limits.available_bytes(), limits.n_cores())


def judge_device(
    spec: DoctorSpec, gpus: Sequence[Gpu], n_visible: int, available_bytes: int, n_cores: int
) -> Check:
    """``gpus`` are what the driver reports, ``n_visible`` how many of them PyTorch can use."""
    try:
        chosen = choose_gpus(spec.device, spec.gpus, n_visible)
    except ModelError as error:
        return refused("device", error)
    listed = [_described(gpu) for gpu in gpus]
    processor = f"{n_cores} CPU cores, {available_bytes / GB:.1f} GB of memory available"
    if chosen:
        shown = ", ".join(map(str, chosen))
        return ok("device", f"GPU {shown} of [{'; '.join(listed) or n_visible}]; {processor}")
    if listed and spec.device != "cpu":
        fix = "install a PyTorch with CUDA (https://pytorch.org), or say device=cpu"
        unusable = f"{'; '.join(listed)}, but PyTorch cannot use it"
        return warning("device", f"{unusable}; {processor}", fix)
    if available_bytes < _MEMORY_GB * GB:
        fix = f"close something: the embedded models need about {_MEMORY_GB} GB"
        return warning("device", processor, fix)
    return ok("device", f"no GPU in use; {processor}")


def _described(gpu: Gpu) -> str:
    if gpu.free_bytes is None:
        return gpu.name
    return f"{gpu.name}, {gpu.free_bytes / GB:.1f} GB free"
